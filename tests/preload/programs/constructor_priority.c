// SPDX-License-Identifier: Apache-2.0
// Allocation in the earliest constructors and the latest destructors.
#include <string.h>

#include "check.h"

static char* block;

__attribute__((constructor(101))) static void first(void) {
  block = used(strdup("made in a constructor"));
}
__attribute__((destructor(101))) static void last(void) {
  CHECK(strcmp(block, "made in a constructor") == 0);
  free(block);
  free(used(malloc(100000)));
}

int main(void) { CHECK(block); }
