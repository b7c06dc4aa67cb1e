// SPDX-License-Identifier: Apache-2.0
// mallinfo and mallinfo2 give glibc's own figures.
// backends: next glibc -- other heaps have no such figures (mallinfo_foreign)
// glibc: 2.33 -- mallinfo2
#include <malloc.h>

#include "check.h"

int main(void) {
  free(used(malloc(1)));  // sets up the thread's cache, which counts as in use
  struct mallinfo2 before = mallinfo2();
  void* small = used(malloc(1000));
  void* mapped = used(malloc(1000000));
  struct mallinfo2 after = mallinfo2();
  _Pragma("GCC diagnostic ignored \"-Wdeprecated-declarations\"");
  struct mallinfo narrow = mallinfo();
  CHECK((size_t)narrow.uordblks == after.uordblks && (size_t)narrow.hblkhd == after.hblkhd);
  printf("%zu %zu\n", after.uordblks - before.uordblks, after.hblkhd - before.hblkhd);
  free(small);
  free(mapped);
}
