// SPDX-License-Identifier: Apache-2.0
//
// A slow leak: 1 % of the bytes allocated are never freed (2 MB of 200 MB a second).
#include "scenario.h"

static struct scenario_site site = {"leak_header", 0, 0};

SCENARIO_NOINLINE static void* leak_header(size_t bytes) {
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
    for (int i = 0; i < 16; i++) {
      size_t bytes = scenario_between(&state, 100, 500);
      scenario_keep(leak_header(bytes));
      scenario_churn_step(&churn, 99 * bytes);
    }
    scenario_pace(start, site.requested_bytes, 2e6);
  }
  scenario_say("held", "leak", &site, 1, "");
  scenario_rest();
}
