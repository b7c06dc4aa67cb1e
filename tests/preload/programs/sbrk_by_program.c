// SPDX-License-Identifier: Apache-2.0
// A program that moves the break itself, between glibc's own uses of it.
#include <string.h>
#include <unistd.h>

#include "check.h"

int main(void) {
  for (int i = 0; i < 50; ++i) {
    void* before = used(malloc(60000));
    char* own = sbrk(65536);
    CHECK(own != (void*)-1);
    memset(own, 1, 65536);
    void* after = used(malloc(100000));
    free(before);
    free(after);
    CHECK(own[65535] == 1);
  }
}
