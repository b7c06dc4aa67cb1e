// SPDX-License-Identifier: Apache-2.0
// calloc and reallocarray refuse products that do not fit, around every power of two, and say so in
// errno; the old block stays as it was.
// as-glibc: jemalloc tcmalloc -- bare, tcmalloc leaves errno alone; the embedded ones keep libc's contract
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "check.h"

int main(void) {
  char* block = malloc(100);
  memset(block, 9, 100);
  for (int bits = 1; bits < 64; ++bits)
    for (int more = -1; more <= 1; ++more) {
      size_t count = opaque(((size_t)1 << bits) + (size_t)more);
      size_t size = SIZE_MAX / count + 1;  // the least that overflows
      if (count < 2) continue;
      errno = 0;
      CHECK(calloc(count, opaque(size)) == NULL);
      printf("%d%+d: %d", bits, more, errno);
      errno = 0;
      CHECK(reallocarray(block, count, opaque(size)) == NULL);
      printf(" %d\n", errno);
    }
  for (int i = 0; i < 100; ++i) CHECK(block[i] == 9);
  free(block);
}
