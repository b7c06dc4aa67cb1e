// SPDX-License-Identifier: Apache-2.0
//
// The same blocks, freed in one of two orders. "last": the small block at the end of the heap is freed
// first and stays in the thread's cache, so it pins the top and 200 MB stay. "first": it was never put
// there, and everything goes back.
#include "scenario.h"

enum { kBlocks = 2000, kBlockBytes = 100000 };
static void* blocks[kBlocks];

int main(int argc, char** argv) {
  (void)scenario_seed(argc, argv);
  int pinned = argc > 2 && strcmp(argv[2], "pinned") == 0;
  void* small = pinned ? NULL : malloc(40);
  for (int i = 0; i < kBlocks; i++) {
    blocks[i] = malloc(kBlockBytes);
    if (blocks[i] == NULL) abort();
    memset(blocks[i], 1, kBlockBytes);
  }
  if (pinned) small = malloc(40);
  free(small);
  for (int i = 0; i < kBlocks; i++) free(blocks[i]);
  scenario_say("ready", pinned ? "retention" : "healthy", NULL, 0,
               pinned ? ",\"freed_bytes\":200000000" : "");
  scenario_rest();
}
