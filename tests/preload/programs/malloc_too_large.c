// SPDX-License-Identifier: Apache-2.0
// A request that no address space can hold fails, from every entry point, with the errno that the
// allocator alone sets (not all set ENOMEM).
// as-glibc: jemalloc -- its memalign leaves errno alone; the embedded one keeps libc's contract
#include <errno.h>
#include <malloc.h>
#include <stdint.h>

#include "check.h"

#define FAILS(call)                   \
  do {                                \
    errno = 0;                        \
    CHECK((call) == NULL);            \
    printf("%s: %d\n", #call, errno); \
  } while (0)

int main(void) {
  for (size_t size = (size_t)PTRDIFF_MAX + 1; size; size = size == SIZE_MAX ? 0 : SIZE_MAX) {
    FAILS(malloc(opaque(size)));
    FAILS(calloc(opaque(size), 1));
    FAILS(realloc(NULL, opaque(size)));
    FAILS(memalign(64, opaque(size)));
    FAILS(aligned_alloc(64, opaque(size) & ~(size_t)63));
    void* block = NULL;
    CHECK(posix_memalign(&block, 64, opaque(size)) == ENOMEM && block == NULL);
  }
}
