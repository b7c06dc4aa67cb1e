// SPDX-License-Identifier: Apache-2.0
//
// Small frees in a checkerboard: every page keeps live blocks, so nothing can be given back. With
// "sparse" only one block in nine stays, about one a page: free, yet hardly returnable. With "abrupt"
// the program falls silent right after the frees, else it serves on for a while.
#include "scenario.h"

enum { kBlocks = 200000 };
static void* blocks[kBlocks];
static size_t sizes[kBlocks];
static struct scenario_site survivors = {"intern_name", 0, 0};

SCENARIO_NOINLINE static void* intern_name(size_t bytes) {
  void* block = malloc(bytes);
  if (block == NULL) abort();
  memset(block, 1, bytes);
  return block;
}

int main(int argc, char** argv) {
  uint64_t state = scenario_seed(argc, argv);
  const char* variant = argc > 2 ? argv[2] : "";
  int keep = strcmp(variant, "sparse") == 0 ? 9 : 2;
  uint64_t freed_bytes = 0;
  for (int i = 0; i < kBlocks; i++) {
    sizes[i] = scenario_between(&state, 300, 600);
    blocks[i] = intern_name(sizes[i]);
  }
  for (int i = 0; i < kBlocks; i++) {
    if (i % keep == 0 || i == kBlocks - 1) {
      scenario_count(&survivors, blocks[i], sizes[i]);
    } else {
      free(blocks[i]);
      freed_bytes += sizes[i];
    }
  }
  if (strcmp(variant, "abrupt") != 0) scenario_serve();
  char extra[64];
  snprintf(extra, sizeof extra, ",\"freed_bytes\":%llu", (unsigned long long)freed_bytes);
  scenario_say("ready", "fragmentation", &survivors, 1, extra);
  scenario_rest();
}
