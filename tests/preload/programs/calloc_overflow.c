// SPDX-License-Identifier: Apache-2.0
// calloc and reallocarray whose product wraps around fail; what is set in errno is the allocator's.
// as-glibc: tcmalloc -- bare, it leaves errno alone; the embedded one keeps libc's contract
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "check.h"

int main(void) {
  errno = 0;
  CHECK(calloc(opaque(SIZE_MAX / 2 + 2), 2) == NULL);
  CHECK(calloc(opaque((size_t)1 << 33), opaque((size_t)1 << 33)) == NULL);
  printf("%d\n", errno);
  char* block = malloc(100);
  memset(block, 7, 100);
  errno = 0;
  CHECK(reallocarray(block, opaque((size_t)1 << 33), (size_t)1 << 33) == NULL && errno == ENOMEM);
  for (int i = 0; i < 100; ++i) CHECK(block[i] == 7);
  free(block);
}
