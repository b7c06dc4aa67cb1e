// SPDX-License-Identifier: Apache-2.0
// calloc of no bytes gives a block that can be freed.
#include "check.h"

int main(void) {
  void* first = calloc(opaque(0), 8);
  void* second = calloc(8, opaque(0));
  CHECK(first && second && first != second);
  free(first);
  free(second);
}
