// SPDX-License-Identifier: Apache-2.0
//
// A step is not a slope: 20 MB, a second of ordinary traffic, then 150 MB more at once, and constant
// from there on.
#include "scenario.h"

SCENARIO_NOINLINE static void load_table(size_t total_bytes) {
  for (size_t bytes = 0; bytes < total_bytes; bytes += 50000) {
    void* block = malloc(50000);
    if (block == NULL) abort();
    memset(block, 1, 50000);
    scenario_keep(block);
  }
}

int main(int argc, char** argv) {
  static struct scenario_churn churn;
  churn.state = scenario_seed(argc, argv);
  uint64_t bytes = 0;
  double start = scenario_now();
  int stepped = 0;
  load_table(20000000);
  for (;;) {
    scenario_churn_step(&churn, 500000);
    bytes += 500000;
    scenario_pace(start, bytes, 50e6);
    double elapsed = scenario_now() - start;
    if (stepped == 0 && elapsed > 1.5) {
      load_table(150000000);
      stepped = 1;
    } else if (stepped == 1 && elapsed > 3.5) {
      scenario_say("ready", "healthy", NULL, 0, "");
      stepped = 2;
    }
    if (stepped == 2 && !scenario_working()) break;
  }
  scenario_say("held", "healthy", NULL, 0, "");
  scenario_rest();
}
