// SPDX-License-Identifier: Apache-2.0
// valloc gives whole-page alignment.
#include <malloc.h>
#include <stdint.h>
#include <string.h>

#include "check.h"

int main(void) {
  for (size_t size = 0; size < 100000; size = size * 2 + 1) {
    void* block = valloc(size);
    CHECK(block && (uintptr_t)block % 4096 == 0);
    memset(block, 1, size);
    free(block);
  }
}
