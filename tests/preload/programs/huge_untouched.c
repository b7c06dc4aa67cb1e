// SPDX-License-Identifier: Apache-2.0
// A mapped gigabyte costs nothing until it is touched; realloc of it works.
#include "check.h"

int main(void) {
  char* block = malloc((size_t)1 << 30);
  CHECK(block);
  block[12345] = 9;
  block = realloc(block, (size_t)5 << 28);
  CHECK(block && block[12345] == 9);
  free(block);
}
