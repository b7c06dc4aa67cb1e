// SPDX-License-Identifier: Apache-2.0
// posix_memalign refuses alignments with EINVAL and touches neither errno nor the pointer.
#include <errno.h>

#include "check.h"

int main(void) {
  const size_t bad[] = {0, 1, 2, 3, 4, 7, 12, 24, 48, 4095};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    void* block = (void*)0x1234;
    errno = 77;
    int error = posix_memalign(&block, opaque(bad[i]), 64);
    printf("%zu: %d %d\n", bad[i], error, errno);
    CHECK(error == 0 || (error == EINVAL && block == (void*)0x1234));
  }
}
