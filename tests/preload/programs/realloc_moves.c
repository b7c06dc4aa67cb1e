// SPDX-License-Identifier: Apache-2.0
// realloc keeps the contents while a block grows, moves and shrinks, up to mapped sizes.
// env: OFFHEAP_SAMPLE=64
#include <string.h>

#include "check.h"

static void check_filled(const unsigned char* block, size_t size) {
  for (size_t i = 0; i < size; ++i) CHECK(block[i] == (unsigned char)(i * 31));
}

int main(void) {
  unsigned char* block = NULL;
  size_t size = 0;
  for (size_t next = 24; next < (size_t)8 << 20; next = next * 3 / 2) {
    block = realloc(block, next);
    check_filled(block, size);
    for (size_t i = size; i < next; ++i) block[i] = (unsigned char)(i * 31);
    free(used(malloc(next)));  // an obstacle behind the block
    size = next;
  }
  for (; size > 24; size /= 3) {
    block = realloc(block, size);
    check_filled(block, size);
  }
  free(block);
}
