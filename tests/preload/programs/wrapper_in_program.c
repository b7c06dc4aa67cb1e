// SPDX-License-Identifier: Apache-2.0
// A program that exports a malloc of its own which only counts and calls the next one, as many do.
// backends: next glibc jemalloc tcmalloc path-mimalloc next-jemalloc -- a dlsym that fails frees by this very free
// glibc: 2.34 -- dlsym in libc.so.6
#include <dlfcn.h>
#include <string.h>

#include "check.h"

static size_t mallocs;
static size_t frees;

void* malloc(size_t size) {
  static void* (*next)(size_t) = NULL;
  if (!next) *(void**)&next = dlsym(RTLD_NEXT, "malloc");
  ++mallocs;
  return next(size);
}

void free(void* block) {
  static void (*next)(void*) = NULL;
  if (!next) *(void**)&next = dlsym(RTLD_NEXT, "free");
  ++frees;
  next(block);
}

int main(void) {
  size_t before = mallocs;
  for (size_t i = 0; i < 1000; ++i) {
    char* block = malloc(i);
    memset(block, 1, i);
    free(realloc(block, i * 2 + 1));
    free(strdup("text"));
  }
  printf("%zu mallocs\n", mallocs - before);
  CHECK(frees >= 2000);
}
