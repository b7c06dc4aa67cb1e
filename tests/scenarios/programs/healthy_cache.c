// SPDX-License-Identifier: Apache-2.0
//
// A cache of constant size: 64 MB of live entries, one replaced by another of the same size. No more,
// so that it is filled in well under a second where pages are slow to come.
#include "scenario.h"

enum { kEntries = 16000, kEntryBytes = 4000 };
static void* entries[kEntries];

SCENARIO_NOINLINE static void* cache_entry(void) {
  void* block = malloc(kEntryBytes);
  if (block == NULL) abort();
  memset(block, 1, kEntryBytes);
  return block;
}

int main(int argc, char** argv) {
  struct scenario_site site = {"cache_entry", 0, 0};
  uint64_t state = scenario_seed(argc, argv);
  for (int i = 0; i < kEntries; i++) entries[i] = cache_entry();
  scenario_say("ready", "healthy", &site, 1, "");
  uint64_t bytes = 0;
  double start = scenario_now();
  while (scenario_working()) {
    for (int i = 0; i < 100; i++) {
      void** entry = &entries[scenario_random(&state) % kEntries];
      free(*entry);
      *entry = cache_entry();
      bytes += kEntryBytes;
    }
    scenario_pace(start, bytes, 50e6);
  }
  for (int i = 0; i < kEntries; i++) scenario_count(&site, entries[i], kEntryBytes);
  scenario_say("held", "healthy", &site, 1, "");
  scenario_rest();
}
