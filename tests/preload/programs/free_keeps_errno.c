// SPDX-License-Identifier: Apache-2.0
// free and a successful malloc leave errno alone, from small blocks to mapped ones.
// backends: next glibc jemalloc tcmalloc next-jemalloc -- mimalloc itself changes errno
// env: OFFHEAP_SAMPLE=1
#include <errno.h>

#include "check.h"

int main(void) {
  for (size_t size = 1; size <= (size_t)64 << 20; size *= 2) {
    errno = 1234;
    void* block = used(malloc(size));
    CHECK(block && errno == 1234);
    free(block);
    CHECK(errno == 1234);
  }
}
