// SPDX-License-Identifier: Apache-2.0
// Blocks of every aligned entry point may be reallocated, larger and smaller, and keep what they hold.
// as-glibc: jemalloc next-jemalloc -- Debian's jemalloc has no pvalloc, and bare its block comes from libc
// env: OFFHEAP_SAMPLE=4K
#include <malloc.h>
#include <stdint.h>
#include <string.h>

#include "check.h"

static void* by_posix_memalign(size_t alignment, size_t size) {
  void* block = NULL;
  CHECK(posix_memalign(&block, alignment, size) == 0);
  return block;
}
static void* by_valloc(size_t alignment, size_t size) { return (void)alignment, valloc(size); }
static void* by_pvalloc(size_t alignment, size_t size) { return (void)alignment, pvalloc(size); }

static void check_moves(void* (*allocate)(size_t, size_t), size_t alignment, size_t size) {
  unsigned char* block = allocate(alignment, size);
  CHECK(block && (uintptr_t)block % alignment == 0);
  for (size_t i = 0; i < size; ++i) block[i] = (unsigned char)(i * 7 + size);
  const size_t sizes[] = {size * 2, size * 5 + 3000, size / 2 + 1, 1 << 20, size / 3 + 1};
  size_t kept = size;
  for (size_t k = 0; k < sizeof sizes / sizeof *sizes; ++k) {
    block = realloc(block, sizes[k]);
    if (sizes[k] < kept) kept = sizes[k];
    CHECK(block && malloc_usable_size(block) >= sizes[k]);
    for (size_t i = 0; i < kept; ++i) CHECK(block[i] == (unsigned char)(i * 7 + size));
  }
  free(block);
}

int main(void) {
  for (size_t size = 1; size < 300000; size = size * 3 + 5) {
    for (size_t alignment = 16; alignment <= 65536; alignment *= 4) {
      check_moves(memalign, alignment, size);
      check_moves(aligned_alloc, alignment, size);
      check_moves(by_posix_memalign, alignment, size);
    }
    check_moves(by_valloc, 4096, size);
    check_moves(by_pvalloc, 4096, size);
  }
}
