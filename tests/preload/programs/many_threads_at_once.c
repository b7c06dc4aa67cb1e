// SPDX-License-Identifier: Apache-2.0
// Three thousand threads alive at once, more than the recording has slots for.
#include <pthread.h>

#include "check.h"

static pthread_barrier_t all_alive;

static void* work(void* unused) {
  (void)unused;
  void* block = malloc(100);
  pthread_barrier_wait(&all_alive);
  free(used(malloc(200)));
  return block;
}

int main(void) {
  enum { kThreads = 3000 };
  static pthread_t threads[kThreads];
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 65536);
  pthread_barrier_init(&all_alive, NULL, kThreads);
  for (int i = 0; i < kThreads; ++i) CHECK(pthread_create(&threads[i], &attributes, work, NULL) == 0);
  for (int i = 0; i < kThreads; ++i) {
    void* block = NULL;
    CHECK(pthread_join(threads[i], &block) == 0);
    free(block);
  }
}
