// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

void late_leak(int count);

static void* kept[100000];
static int kept_count = 0;

void late_leak(int count) {
  for (int i = 0; i < count && kept_count < 100000; ++i) {
    kept[kept_count] = malloc(1000);
    if (kept[kept_count]) memset(kept[kept_count], 1, 1000);
    ++kept_count;
  }
}
