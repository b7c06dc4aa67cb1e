// SPDX-License-Identifier: Apache-2.0
// mallinfo2 never passes glibc's idle heap off as the program's: nothing, or the truth.
// expect: honest
// glibc: 2.33 -- mallinfo2
#include <malloc.h>
#include <string.h>

#include "check.h"

int main(void) {
  size_t size = (size_t)32 << 20;
  memset(used(malloc(size)), 1, size);
  struct mallinfo2 info = mallinfo2();
  size_t claimed = info.uordblks + info.hblkhd;
  CHECK((claimed == 0 && info.arena == 0) || claimed >= size);
  puts("honest");
}
