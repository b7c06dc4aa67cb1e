// SPDX-License-Identifier: Apache-2.0
// Ten thousand threads, one after the other and in packs, each allocating.
// env: OFFHEAP_SAMPLE=1K
#include <pthread.h>

#include "check.h"

static void* work(void* unused) {
  (void)unused;
  for (size_t i = 0; i < 20; ++i) free(used(malloc(i * 50)));
  return malloc(100);
}

int main(void) {
  enum { kPack = 50 };
  for (int i = 0; i < 10000 / kPack; ++i) {
    pthread_t threads[kPack];
    for (int k = 0; k < kPack; ++k) CHECK(pthread_create(&threads[k], NULL, work, NULL) == 0);
    for (int k = 0; k < kPack; ++k) {
      void* block = NULL;
      CHECK(pthread_join(threads[k], &block) == 0);
      free(block);
    }
  }
}
