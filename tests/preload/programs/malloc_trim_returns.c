// SPDX-License-Identifier: Apache-2.0
// malloc_trim gives memory back under glibc and is harmless elsewhere.
#include <malloc.h>
#include <string.h>

#include "check.h"

int main(void) {
  enum { kBlocks = 4000 };
  static void* blocks[kBlocks];
  for (int i = 0; i < kBlocks; ++i) memset(blocks[i] = malloc(10000), 1, 10000);
  void* last = used(malloc(100));
  for (int i = 0; i < kBlocks; ++i) free(blocks[i]);
  malloc_trim(0);
  memset(used(last), 1, 100);
  free(last);
  free(used(malloc(100)));
  puts("alive");
}
