// SPDX-License-Identifier: Apache-2.0
// C23's free_sized and free_aligned_sized exist and free, though this libc has neither.
// expect: freed
#include <dlfcn.h>

#include "check.h"

int main(void) {
  void (*free_sized)(void*, size_t);
  void (*free_aligned_sized)(void*, size_t, size_t);
  *(void**)&free_sized = dlsym(RTLD_DEFAULT, "free_sized");
  *(void**)&free_aligned_sized = dlsym(RTLD_DEFAULT, "free_aligned_sized");
  CHECK(free_sized && free_aligned_sized);
  for (size_t size = 1; size < (size_t)1 << 20; size = size * 2 + 1) {
    free_sized(malloc(size), size);
    free_aligned_sized(aligned_alloc(64, (size + 63) / 64 * 64), 64, (size + 63) / 64 * 64);
  }
  free_sized(NULL, 0);
  free_aligned_sized(NULL, 64, 0);
  puts("freed");
}
