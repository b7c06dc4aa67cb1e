// SPDX-License-Identifier: Apache-2.0
// memalign and aligned_alloc give every power of two.
// backends: next glibc jemalloc tcmalloc next-jemalloc -- mimalloc 2.0.9 misses large alignments
// env: OFFHEAP_SAMPLE=64
#include <malloc.h>
#include <stdint.h>
#include <string.h>

#include "check.h"

int main(void) {
  for (size_t alignment = 8; alignment <= (size_t)1 << 20; alignment *= 2) {
    for (size_t size = alignment; size < alignment * 8; size += alignment) {
      char* first = memalign(alignment, size);
      char* second = aligned_alloc(alignment, size);
      CHECK(first && second && first != second);
      CHECK((uintptr_t)first % alignment == 0 && (uintptr_t)second % alignment == 0);
      memset(first, 1, size);
      memset(second, 2, size);
      CHECK(first[size - 1] == 1);
      free(first);
      free(second);
    }
  }
}
