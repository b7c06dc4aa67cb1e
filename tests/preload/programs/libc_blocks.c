// SPDX-License-Identifier: Apache-2.0
// Blocks that libc itself allocates (strdup, getline, asprintf, realpath) are freed by free.
#include <string.h>

#include "check.h"

int main(void) {
  char* text = NULL;
  CHECK(asprintf(&text, "%s-%d", "text", 42) == 7 && strcmp(text, "text-42") == 0);
  free(text);
  free(strdup("duplicate"));
  free(realpath("/proc/self", NULL));
  FILE* file = fopen("/proc/self/maps", "r");
  char* line = NULL;
  size_t line_bytes = 0;
  CHECK(getline(&line, &line_bytes, file) > 0);
  free(line);
  fclose(file);
}
