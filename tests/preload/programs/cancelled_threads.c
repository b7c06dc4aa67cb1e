// SPDX-License-Identifier: Apache-2.0
// pthread_cancel of threads that allocate, at their cancellation points.
// env: OFFHEAP_SAMPLE=64
#include <pthread.h>
#include <unistd.h>

#include "check.h"

static void free_block(void* block) { free(block); }

static void* work(void* unused) {
  (void)unused;
  void* block = malloc(10000);
  pthread_cleanup_push(free_block, block);
  for (;;) {
    free(used(malloc(100)));
    pthread_testcancel();
  }
  pthread_cleanup_pop(1);
  return NULL;
}

int main(void) {
  for (int i = 0; i < 100; ++i) {
    pthread_t thread;
    void* result = NULL;
    CHECK(pthread_create(&thread, NULL, work, NULL) == 0);
    if (i % 4 == 0) usleep(500);
    CHECK(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0);
    CHECK(result == PTHREAD_CANCELED);
  }
}
