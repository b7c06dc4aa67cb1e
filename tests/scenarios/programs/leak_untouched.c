// SPDX-License-Identifier: Apache-2.0
//
// A leak whose pages are never touched: the program asks for 40 MB a second and RSS hardly moves.
#include "scenario.h"

static struct scenario_site site = {"reserve_buffer", 0, 0};

SCENARIO_NOINLINE static void* reserve_buffer(size_t bytes) {
  void* block = malloc(bytes);
  if (block == NULL) abort();
  scenario_count(&site, block, bytes);
  return block;
}

int main(int argc, char** argv) {
  static struct scenario_churn churn;
  uint64_t state = scenario_seed(argc, argv);
  churn.state = state ^ 0x5555;
  double start = scenario_now();
  scenario_say("ready", "leak", &site, 1, "");
  while (scenario_working()) {
    scenario_keep(reserve_buffer(scenario_between(&state, 500000, 1500000)));
    scenario_churn_step(&churn, 500000);
    scenario_pace(start, site.requested_bytes, 40e6);
  }
  scenario_say("held", "leak", &site, 1, "");
  scenario_rest();
}
