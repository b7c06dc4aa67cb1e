// SPDX-License-Identifier: Apache-2.0
// Allocation before any constructor has run, the shim's and the allocator's included.
#include <string.h>

#include "check.h"

static char* early;

static void allocate_early(void) {
  early = malloc(1000);
  memset(early, 1, 1000);
  early = realloc(early, 100000);
  free(used(calloc(10, 10)));
}
__attribute__((section(".preinit_array"), used)) static void (*hook)(void) = allocate_early;

int main(void) {
  CHECK(early && early[999] == 1);
  free(used(realloc(early, 10)));
}
