// SPDX-License-Identifier: Apache-2.0
// calloc clears memory that was used before, at every size.
#include <string.h>

#include "check.h"

int main(void) {
  for (size_t size = 1; size <= (size_t)1 << 22; size = size * 2 + 1) {
    char* dirty = malloc(size);
    memset(dirty, 0xff, size);
    free(used(dirty));
    char* clean = calloc(1, size);
    for (size_t i = 0; i < size; ++i) CHECK(clean[i] == 0);
    free(clean);
  }
}
