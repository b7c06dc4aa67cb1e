// SPDX-License-Identifier: Apache-2.0
//
// A program that works with glibc alone: it aborts where mallopt is refused.
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  if (mallopt(M_TRIM_THRESHOLD, 1 << 20) == 1) return 0;
  fprintf(stderr, "mallopt was refused\n");
  abort();
}
