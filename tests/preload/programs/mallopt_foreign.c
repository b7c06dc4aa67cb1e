// SPDX-License-Identifier: Apache-2.0
// mallopt over another allocator's heap is harmless, and not refused where glibc's would not be.
// expect: 1 1 1
#include <malloc.h>

#include "check.h"

int main(void) {
  void* before = malloc(1000);
  int threshold = mallopt(M_MMAP_THRESHOLD, 65536);
  int trim = mallopt(M_TRIM_THRESHOLD, 65536);
  int arenas = mallopt(M_ARENA_MAX, 1);
  free(used(before));
  free(used(malloc(100000)));
  printf("%d %d %d\n", threshold, trim, arenas);
}
