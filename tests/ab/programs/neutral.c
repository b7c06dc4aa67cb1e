// SPDX-License-Identifier: Apache-2.0
//
// Work that no allocator has a part in: a fifth of a second of arithmetic.
#include <stdint.h>
#include <stdio.h>

int main(void) {
  uint64_t state = 88172645463325252u;
  for (long i = 0; i < 60000000; ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
  }
  printf("%lu\n", (unsigned long)state);
  return 0;
}
