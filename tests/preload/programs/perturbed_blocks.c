// SPDX-License-Identifier: Apache-2.0
// MALLOC_PERTURB_ and mallopt(M_PERTURB) fill blocks as they do without the shim.
// backends: next glibc -- glibc's own option
// env: MALLOC_PERTURB_=165
#include <malloc.h>

#include "check.h"

static int first_and_last(size_t size) {
  unsigned char* block = used(malloc(size));
  int bytes = block[0] << 8 | block[size - 1];
  free(block);
  return bytes;
}

int main(void) {
  for (size_t size = 2000; size < 200000; size *= 3) printf("%zu: %x\n", size, first_and_last(size));
  CHECK(mallopt(M_PERTURB, 0x3c) == 1);
  for (size_t size = 2000; size < 200000; size *= 3) printf("%zu: %x\n", size, first_and_last(size));
}
