// SPDX-License-Identifier: Apache-2.0
// malloc_usable_size answers as the allocator alone does, byte for byte, sampled or not.
// env: OFFHEAP_SAMPLE=256
#include <malloc.h>
#include <string.h>

#include "check.h"

int main(void) {
  CHECK(malloc_usable_size(NULL) == 0);
  for (size_t size = 1; size < (size_t)1 << 24; size += 1 + size / 7) {
    void* block = malloc(size);
    size_t usable = malloc_usable_size(block);
    CHECK(usable >= size);
    memset(block, 3, usable);
    printf("%zu: %zu\n", size, usable);
    free(block);
  }
}
