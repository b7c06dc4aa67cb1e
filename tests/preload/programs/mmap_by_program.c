// SPDX-License-Identifier: Apache-2.0
// mmap, mremap and munmap by the program keep their semantics and errno.
// env: OFFHEAP_SAMPLE=1K
#include <errno.h>
#include <sys/mman.h>

#include "check.h"

int main(void) {
  int both = PROT_READ | PROT_WRITE;
  for (int i = 0; i < 300; ++i) {
    errno = 99;
    char* area = mmap(NULL, 65536, both, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(area != MAP_FAILED && errno == 99);
    area[65535] = 3;
    CHECK(munmap(area, 4096) == 0);
    char* grown = mremap(area + 4096, 65536 - 4096, 1 << 20, MREMAP_MAYMOVE);
    CHECK(grown != MAP_FAILED && grown[65535 - 4096] == 3);
    char* fixed = mmap(grown, 4096, both, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(fixed == grown && munmap(grown, 1 << 20) == 0);
  }
  CHECK(mmap(NULL, 0, both, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
  CHECK(mremap((void*)4096, 4096, 8192, 0) == MAP_FAILED && errno == EFAULT);
  CHECK(munmap((void*)1, 4096) == -1 && errno == EINVAL);
}
