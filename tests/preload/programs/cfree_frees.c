// SPDX-License-Identifier: Apache-2.0
// cfree, which no new program can be linked with but old ones still call, frees the backend's blocks.
// as-glibc: jemalloc next-jemalloc path-mimalloc next-mimalloc -- bare, libc's cfree gets their blocks
#include "check.h"

extern void old_cfree(void* block);
__asm__(".symver old_cfree,cfree@GLIBC_2.2.5");

int main(void) {
  for (size_t i = 0; i < 10000; ++i) old_cfree(used(malloc(i)));
  old_cfree(NULL);
  puts("freed");
}
