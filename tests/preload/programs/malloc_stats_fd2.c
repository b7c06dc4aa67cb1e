// SPDX-License-Identifier: Apache-2.0
// malloc_stats writes on standard error only, and the heap works on.
#include <malloc.h>

#include "check.h"

int main(void) {
  free(used(malloc(1000)));
  malloc_stats();
  free(used(malloc(1000)));
  puts("alive");
}
