// SPDX-License-Identifier: Apache-2.0
// A realloc that cannot be served leaves the block as it was.
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "check.h"

int main(void) {
  for (size_t size = 16; size <= (size_t)1 << 20; size *= 256) {
    char* block = malloc(size);
    memset(block, 5, size);
    errno = 0;
    CHECK(realloc(block, opaque(PTRDIFF_MAX)) == NULL);
    printf("%d\n", errno);
    for (size_t i = 0; i < size; ++i) CHECK(block[i] == 5);
    free(used(block));
  }
}
