// SPDX-License-Identifier: Apache-2.0
// A program that brings its own malloc keeps it; the shim stands aside.
#include <string.h>

#include "check.h"

static char heap[16 << 20];
static size_t heap_used;
static int own_calls;

void* malloc(size_t size) {
  ++own_calls;
  size_t begin = (heap_used + 31) / 16 * 16;
  if (size > sizeof heap - begin) return NULL;
  memcpy(heap + begin - 8, &size, sizeof size);
  heap_used = begin + size;
  return heap + begin;
}
void free(void* block) { (void)block; }
void* calloc(size_t count, size_t size) { return malloc(count * size); }
void* realloc(void* block, size_t size) {
  void* moved = malloc(size);
  size_t old_size = 0;
  if (block) memcpy(&old_size, (char*)block - 8, sizeof old_size);
  return moved ? memcpy(moved, block ? block : "", old_size < size ? old_size : size) : NULL;
}

int main(void) {
  char* copy = strdup("goes to the program's own heap");
  CHECK(copy >= heap && copy < heap + sizeof heap && own_calls > 0);
  free(copy);
}
