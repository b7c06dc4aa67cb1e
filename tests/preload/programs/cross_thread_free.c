// SPDX-License-Identifier: Apache-2.0
// Blocks freed and reallocated by threads other than the one that made them.
// env: OFFHEAP_SAMPLE=256
#include <pthread.h>
#include <string.h>

#include "check.h"

enum { kBlocks = 3000 };
static char* blocks[kBlocks];

static void* make(void* unused) {
  for (int i = 0; i < kBlocks; ++i) memset(blocks[i] = malloc((size_t)i + 1), i, (size_t)i + 1);
  return unused;
}
static void* grow(void* unused) {
  for (int i = 0; i < kBlocks; ++i) blocks[i] = realloc(blocks[i], (size_t)i * 3 + 1);
  return unused;
}
static void* release(void* unused) {
  for (int i = 0; i < kBlocks; ++i) {
    CHECK(blocks[i][i / 2] == (char)i);
    free(blocks[i]);
  }
  return unused;
}

int main(void) {
  void* (*const steps[])(void*) = {make, grow, release};
  for (int i = 0; i < 30; ++i) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, steps[i % 3], NULL) == 0 && pthread_join(thread, NULL) == 0);
  }
}
