// SPDX-License-Identifier: Apache-2.0
//
// One site leaks 12 MB a second among ten times as much ordinary traffic.
#include "scenario.h"

static struct scenario_site site = {"leak_session", 0, 0};

SCENARIO_NOINLINE static void* leak_session(size_t bytes) {
  void* block = malloc(bytes);
  if (block == NULL) abort();
  memset(block, 7, bytes);
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
    for (int i = 0; i < 64; i++) {
      scenario_keep(leak_session(scenario_between(&state, 200, 1400)));
      scenario_churn_step(&churn, 8000);
    }
    scenario_pace(start, site.requested_bytes, 12e6);
  }
  scenario_say("held", "leak", &site, 1, "");
  scenario_rest();
}
