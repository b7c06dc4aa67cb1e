// SPDX-License-Identifier: Apache-2.0
//
// A program that works with glibc alone: it counts on what glibc rounds a block up to.
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  if (malloc_usable_size(malloc(17)) == 24) return 0;
  fprintf(stderr, "a block is not of 24 bytes\n");
  abort();
}
