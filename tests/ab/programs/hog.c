// SPDX-License-Identifier: Apache-2.0
//
// Touches MIB mebibytes, a block after the other, then says "ready" and waits as long as it is told.
//
//   hog MIB [SECONDS]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  for (long i = atol(argv[1]); i > 0; --i) {
    char* block = malloc(1 << 20);
    if (!block) return 1;
    memset(block, 1, 1 << 20);
  }
  puts("ready");
  fflush(stdout);
  if (argc > 2) sleep((unsigned)atoi(argv[2]));
  return 0;
}
