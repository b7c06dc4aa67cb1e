// SPDX-License-Identifier: Apache-2.0
// Blocks of no bytes, from every entry point: null or not, and how large, as the allocator alone says.
#include <malloc.h>

#include "check.h"

static void show(const char* what, void* block, int aligned) {
  void* other = malloc(opaque(0));
  // How much an aligned block gets beyond what it asked for depends on what was free there.
  printf("%s: %s, %zu usable, %s\n", what, block ? "a block" : "null",
         aligned ? 0 : malloc_usable_size(block), block && block == other ? "shared" : "its own");
  free(other);
  free(block);
}

int main(void) {
  show("malloc", malloc(opaque(0)), 0);
  show("calloc 0 n", calloc(opaque(0), 8), 0);
  show("calloc n 0", calloc(opaque(8), 0), 0);
  show("realloc of null", realloc(NULL, opaque(0)), 0);
  show("reallocarray of null", reallocarray(NULL, opaque(0), 8), 0);
  show("memalign", memalign(64, opaque(0)), 1);
  show("aligned_alloc", aligned_alloc(64, opaque(0)), 1);
  show("valloc", valloc(opaque(0)), 1);
  void* block = NULL;
  int error = posix_memalign(&block, 64, opaque(0));
  printf("posix_memalign: %d\n", error);
  if (error == 0) show("posix_memalign", block, 1);
}
