// SPDX-License-Identifier: Apache-2.0
// malloc(0) gives distinct blocks that can be freed.
#include "check.h"

int main(void) {
  void* first = malloc(opaque(0));
  void* second = malloc(opaque(0));
  CHECK(first && second && first != second);
  free(first);
  free(second);
}
