// SPDX-License-Identifier: Apache-2.0
// memalign and aligned_alloc with an alignment that is no power of two: as the allocator does.
#include <malloc.h>

#include "check.h"

int main(void) {
  const size_t odd[] = {0, 3, 24, 4095};
  for (size_t i = 0; i < sizeof odd / sizeof *odd; ++i) {
    void* block = memalign(opaque(odd[i]), opaque(64));
    printf("memalign %zu: %s\n", odd[i], block ? "a block" : "null");
    free(block);
    block = aligned_alloc(opaque(odd[i]), opaque(64));
    printf("aligned_alloc %zu: %s\n", odd[i], block ? "a block" : "null");
    free(block);
  }
}
