// SPDX-License-Identifier: Apache-2.0
//
// The program maps segments itself and forgets them: no allocator is involved.
#include <sys/mman.h>

#include "scenario.h"

static struct scenario_site site = {"map_segment", 0, 0};

SCENARIO_NOINLINE static void* map_segment(size_t bytes) {
  void* segment = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (segment == MAP_FAILED) abort();
  memset(segment, 1, bytes);
  site.live_bytes += bytes;
  site.requested_bytes += bytes;
  return segment;
}

int main(int argc, char** argv) {
  static struct scenario_churn churn;
  uint64_t state = scenario_seed(argc, argv);
  churn.state = state ^ 0x5555;
  double start = scenario_now();
  scenario_say("ready", "mmap-growth", &site, 1, "");
  while (scenario_working()) {
    scenario_keep(map_segment(scenario_between(&state, 32, 160) * 4096));
    scenario_churn_step(&churn, 1000000);
    scenario_pace(start, site.requested_bytes, 15e6);
  }
  scenario_say("held", "mmap-growth", &site, 1, "");
  scenario_rest();
}
