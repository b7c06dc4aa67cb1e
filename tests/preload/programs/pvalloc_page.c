// SPDX-License-Identifier: Apache-2.0
// pvalloc gives whole pages, from the same heap that free returns them to.
// as-glibc: jemalloc next-jemalloc -- it exports no pvalloc, so glibc's block meets jemalloc's free
#include <malloc.h>
#include <stdint.h>
#include <string.h>

#include "check.h"

int main(void) {
  for (size_t size = 1; size < 100000; size = size * 2 + 1) {
    size_t rounded = (size + 4095) / 4096 * 4096;
    void* block = pvalloc(size);
    CHECK(block && (uintptr_t)block % 4096 == 0);
    CHECK(malloc_usable_size(block) >= rounded);
    memset(block, 1, rounded);
    free(block);
  }
}
