// SPDX-License-Identifier: Apache-2.0
// mallopt reaches glibc: a lower mmap threshold changes where blocks come from.
// backends: next glibc -- the parameters are glibc's
// glibc: 2.33 -- mallinfo2
#include <malloc.h>

#include "check.h"

int main(void) {
  CHECK(mallopt(M_MMAP_THRESHOLD, 65536) == 1);
  void* from_top = used(malloc(100000));
  struct mallinfo2 before = mallinfo2();
  void* block = used(malloc(100000));
  struct mallinfo2 after = mallinfo2();
  CHECK(after.hblks == before.hblks + 1 && after.hblkhd > before.hblkhd);
  free(block);
  free(from_top);
  printf("%d %d\n", mallopt(M_ARENA_MAX, 2), mallopt(-12345, 1));
}
