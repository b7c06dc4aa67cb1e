// SPDX-License-Identifier: Apache-2.0
// realloc(p, 0): whether it frees is the allocator's choice, and stays it.
#include "check.h"

int main(void) {
  void* shrunk = realloc(used(malloc(100)), opaque(0));
  puts(shrunk ? "a block" : "null");
  free(shrunk);
  void* fresh = realloc(NULL, opaque(0));
  puts(fresh ? "a block" : "null");
  free(fresh);
}
