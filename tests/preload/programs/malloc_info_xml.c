// SPDX-License-Identifier: Apache-2.0
// malloc_info writes XML, or says by its result that it cannot.
// expect: well
#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "check.h"

int main(void) {
  char text[1 << 16] = "";
  FILE* file = fmemopen(text, sizeof text, "w");
  int result = malloc_info(0, file);
  fclose(file);
  CHECK(result == 0 ? strncmp(text, "<malloc", 7) == 0 : text[0] == 0);
  CHECK(malloc_info(1, stderr) != 0);  // only options of 0 exist
  puts("well");
}
