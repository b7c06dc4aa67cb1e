// SPDX-License-Identifier: Apache-2.0
// Under RLIMIT_AS malloc fails with ENOMEM, and works again once something was freed.
#include <errno.h>
#include <sys/resource.h>

#include "check.h"

int main(void) {
  struct rlimit limit = {(size_t)256 << 20, (size_t)256 << 20};
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
  enum { kMost = 4096 };
  static void* blocks[kMost];
  int count = 0;
  errno = 0;
  while (count < kMost && (blocks[count] = malloc(1 << 20))) ++count;
  CHECK(count > 20 && count < 256 && errno == ENOMEM);
  while (count) free(blocks[--count]);
  free(used(malloc(1 << 20)));
}
