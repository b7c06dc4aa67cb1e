// SPDX-License-Identifier: Apache-2.0
// errno after calls that succeed is what the allocator alone leaves there, sampled or not.
// env: OFFHEAP_SAMPLE=1K
#include <errno.h>
#include <malloc.h>
#include <unistd.h>

#include "check.h"

#define SHOW(call)                                                         \
  do {                                                                     \
    errno = 77;                                                            \
    void* block = used(call);                                              \
    if (errno != 77 || !block) printf("%s %zu: %d\n", #call, size, errno); \
    errno = 77;                                                            \
    free(block);                                                           \
    if (errno != 77) printf("free of %s %zu: %d\n", #call, size, errno);   \
  } while (0)

static void* by_posix_memalign(size_t size) {
  void* block = NULL;
  return posix_memalign(&block, 256, size) == 0 ? block : NULL;
}

int main(void) {
  for (size_t size = 1; size <= (size_t)32 << 20; size = size * 3 + 1) {
    SHOW(malloc(size));
    SHOW(calloc(size, 1));
    SHOW(realloc(malloc(size), size * 2));
    SHOW(realloc(malloc(size * 2), size));
    SHOW(reallocarray(malloc(size), size, 2));
    SHOW(memalign(256, size));
    SHOW(aligned_alloc(256, size));
    SHOW(valloc(size));
    SHOW(by_posix_memalign(size));
    errno = 77;
    CHECK(malloc_usable_size(NULL) == 0 && errno == 77);
  }
  puts("done");
}
