// SPDX-License-Identifier: Apache-2.0
//
// For the coverage test: as fast as it can, three sites leak about 60, 15 and 2 MB among 200 MB of
// traffic, sizes and order decided by the seed. What each site leaked is known exactly.
#include "scenario.h"

static struct scenario_site sites[3] = {
    {"leak_document", 0, 0}, {"leak_record", 0, 0}, {"leak_tag", 0, 0}};

static void* leak(struct scenario_site* site, size_t bytes) {
  void* block = malloc(bytes);
  if (block == NULL) abort();
  memset(block, 1, bytes);
  scenario_count(site, block, bytes);
  return block;
}

SCENARIO_NOINLINE static void leak_document(size_t bytes) { *(char*)leak(&sites[0], bytes) = 1; }
SCENARIO_NOINLINE static void leak_record(size_t bytes) { *(char*)leak(&sites[1], bytes) = 2; }
SCENARIO_NOINLINE static void leak_tag(size_t bytes) { *(char*)leak(&sites[2], bytes) = 3; }

int main(int argc, char** argv) {
  static struct scenario_churn churn;
  uint64_t state = scenario_seed(argc, argv);
  churn.state = state ^ 0x5555;
  while (sites[0].requested_bytes < 60000000) {
    leak_document(scenario_between(&state, 100, 3900));
    if (scenario_random(&state) % 2 == 0) leak_record(scenario_between(&state, 200, 1800));
    if (scenario_random(&state) % 2 == 0) leak_tag(scenario_between(&state, 16, 256));
    scenario_churn_step(&churn, 6000);
  }
  scenario_say("ready", "leak", sites, 3, "");
  scenario_rest();
}
