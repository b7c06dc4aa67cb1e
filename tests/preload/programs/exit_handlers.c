// SPDX-License-Identifier: Apache-2.0
// atexit handlers allocate and free.
#include "check.h"

static void* block;

static void at_exit(void) {
  free(block);
  for (int i = 0; i < 100; ++i) free(used(malloc(1000)));
  puts("handled");
}

int main(void) {
  block = malloc(5000);
  CHECK(atexit(at_exit) == 0);
}
