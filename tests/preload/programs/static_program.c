// SPDX-License-Identifier: Apache-2.0
// Linked statically: a preload cannot reach it, and it must not notice.
// glibc: 2.34 -- threads in libc.a
#include "check.h"

int main(void) {
  for (int i = 0; i < 1000; ++i) free(used(malloc(1000)));
  puts("static");
}
