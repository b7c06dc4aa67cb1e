// SPDX-License-Identifier: Apache-2.0
//
// Large blocks leak: each has a mapping of its own under glibc (mmapped chunks), so no arena grows.
#include "scenario.h"

static struct scenario_site site = {"load_image", 0, 0};

SCENARIO_NOINLINE static void* load_image(size_t bytes) {
  void* block = malloc(bytes);
  if (block == NULL) abort();
  memset(block, 1, bytes);
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
    scenario_keep(load_image(scenario_between(&state, 200000, 900000)));
    scenario_churn_step(&churn, 2000000);
    scenario_pace(start, site.requested_bytes, 20e6);
  }
  scenario_say("held", "leak", &site, 1, "");
  scenario_rest();
}
