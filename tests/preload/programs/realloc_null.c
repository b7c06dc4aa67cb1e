// SPDX-License-Identifier: Apache-2.0
// realloc(NULL, n) is malloc(n); reallocarray too.
#include <string.h>

#include "check.h"

int main(void) {
  void* first = realloc(NULL, opaque(100));
  void* second = reallocarray(NULL, opaque(10), 10);
  CHECK(first && second && first != second);
  memset(first, 1, 100);
  memset(second, 2, 100);
  free(first);
  free(second);
}
