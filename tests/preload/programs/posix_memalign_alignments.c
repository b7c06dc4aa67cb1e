// SPDX-License-Identifier: Apache-2.0
// posix_memalign gives every power of two, no bytes included.
// env: OFFHEAP_SAMPLE=64
#include <stdint.h>
#include <string.h>

#include "check.h"

int main(void) {
  for (size_t alignment = sizeof(void*); alignment <= (size_t)1 << 22; alignment *= 2) {
    for (size_t size = 0; size < 100000; size = size * 3 + 1) {
      void* block = NULL;
      CHECK(posix_memalign(&block, alignment, size) == 0 && block);
      CHECK((uintptr_t)block % alignment == 0);
      memset(block, 1, size);
      free(block);
    }
  }
}
