// SPDX-License-Identifier: Apache-2.0
//
// Memory held until a collector runs: blocks pile up for a while, then a sweep frees them all, as a
// garbage collector with finalizers does. It rises, but to a plateau.
#include "scenario.h"

enum { kLimit = 40000, kBlockBytes = 1000 };
static void* garbage[kLimit];

SCENARIO_NOINLINE static void* make_object(void) {
  void* block = malloc(kBlockBytes);
  if (block == NULL) abort();
  memset(block, 1, kBlockBytes);
  return block;
}

int main(int argc, char** argv) {
  (void)scenario_seed(argc, argv);
  uint64_t bytes = 0;
  int count = 0;
  int sweeps = 0;
  double start = scenario_now();
  do {
    for (int i = 0; i < 100; i++) {
      garbage[count++] = make_object();
      bytes += kBlockBytes;
      if (count == kLimit) {
        while (count > 0) free(garbage[--count]);
        if (++sweeps == 2) scenario_say("ready", "healthy", NULL, 0, "");
      }
    }
    scenario_pace(start, bytes, 40e6);
  } while (sweeps < 2 || scenario_working());
  scenario_say("held", "healthy", NULL, 0, "");
  scenario_rest();
}
