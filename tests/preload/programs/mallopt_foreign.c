// SPDX-License-Identifier: Apache-2.0
// mallopt over another allocator's heap is harmless: the heap works on.
// expect: alive
#include <malloc.h>

#include "check.h"

int main(void) {
  void* before = malloc(1000);
  mallopt(M_MMAP_THRESHOLD, 65536);
  mallopt(M_TRIM_THRESHOLD, 65536);
  mallopt(M_ARENA_MAX, 1);
  free(used(before));
  free(used(malloc(100000)));
  puts("alive");
}
