// SPDX-License-Identifier: Apache-2.0
// A program that replaces itself by exec many times starts afresh each time.
#include <unistd.h>

#include "check.h"

int main(int argc, char** argv) {
  free(used(malloc(1000)));
  long left = argc > 1 ? strtol(argv[1], NULL, 10) : 20;
  if (left == 0) {
    puts("last");
    return 0;
  }
  char text[16];
  snprintf(text, sizeof text, "%ld", left - 1);
  execl("/proc/self/exe", argv[0], text, (char*)NULL);
  return 1;
}
