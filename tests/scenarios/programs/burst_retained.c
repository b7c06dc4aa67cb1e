// SPDX-License-Identifier: Apache-2.0
//
// A burst of 240 MB, then all of it freed but every two hundredth block: whole pages are left free,
// which the allocator keeps and malloc_trim gives back.
#include "scenario.h"

enum { kBurstBytes = 240 << 20, kBlocks = 40000 };
static void* blocks[kBlocks];
static struct scenario_site survivors = {"load_index", 0, 0};

SCENARIO_NOINLINE static void* load_index(size_t bytes) {
  void* block = malloc(bytes);
  if (block == NULL) abort();
  memset(block, 1, bytes);
  return block;
}

int main(int argc, char** argv) {
  static size_t sizes[kBlocks];
  uint64_t state = scenario_seed(argc, argv);
  uint64_t bytes = 0;
  uint64_t freed_bytes = 0;
  int count = 0;
  while (bytes < kBurstBytes && count < kBlocks) {
    sizes[count] = scenario_between(&state, 2000, 20000);
    blocks[count] = load_index(sizes[count]);
    bytes += sizes[count++];
  }
  for (int i = 0; i < count; i++) {
    if (i % 200 == 199 || i == count - 1) {
      scenario_count(&survivors, blocks[i], sizes[i]);
    } else {
      free(blocks[i]);
      freed_bytes += sizes[i];
    }
  }
  char extra[64];
  snprintf(extra, sizeof extra, ",\"freed_bytes\":%llu", (unsigned long long)freed_bytes);
  scenario_say("ready", "retention", &survivors, 1, extra);
  scenario_rest();
}
