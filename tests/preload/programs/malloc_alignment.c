// SPDX-License-Identifier: Apache-2.0
// Blocks are aligned as the allocator alone aligns them, for every small size.
#include <stdint.h>

#include "check.h"

int main(void) {
  for (size_t size = 1; size <= 256; ++size) {
    uintptr_t bits = 0;
    for (int i = 0; i < 64; ++i) bits |= (uintptr_t)used(malloc(size));
    printf("%zu: %d\n", size, bits % 16 == 0 ? 16 : bits % 8 == 0 ? 8 : 1);
  }
}
