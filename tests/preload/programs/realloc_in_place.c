// SPDX-License-Identifier: Apache-2.0
// A realloc that stays within the usable size keeps block and contents.
#include <malloc.h>
#include <string.h>

#include "check.h"

int main(void) {
  for (size_t size = 1; size < 100000; size = size * 2 + 3) {
    char* block = malloc(size);
    size_t usable = malloc_usable_size(block);
    memset(block, 9, usable);
    char* same = realloc(block, usable);
    printf("%zu %zu %s\n", size, usable, same == block ? "stays" : "moves");
    CHECK(same[0] == 9 && same[usable - 1] == 9);
    free(same);
  }
}
