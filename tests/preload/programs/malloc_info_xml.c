// SPDX-License-Identifier: Apache-2.0
// malloc_info writes XML, whoever serves the blocks, and refuses options.
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
  CHECK(result == 0 && strncmp(text, "<malloc", 7) == 0);
  CHECK(strstr(text, "<system type=\"current\" size=\"") != NULL && strstr(text, "</malloc>") != NULL);
  CHECK(malloc_info(1, stderr) == EINVAL);  // only options of 0 exist
  puts("well");
}
