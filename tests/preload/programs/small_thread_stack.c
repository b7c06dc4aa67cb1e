// SPDX-License-Identifier: Apache-2.0
// Sampling fits on the smallest stack that a thread can have.
// env: OFFHEAP_SAMPLE=1
#include <limits.h>
#include <pthread.h>
#include <unistd.h>

#include "check.h"

static void* work(void* unused) {
  (void)unused;
  for (int i = 0; i < 1000; ++i) free(used(malloc(100)));
  return NULL;
}

int main(void) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  CHECK(pthread_attr_setstacksize(&attributes, (size_t)sysconf(_SC_THREAD_STACK_MIN)) == 0);
  for (int i = 0; i < 50; ++i) {
    pthread_t thread;
    CHECK(pthread_create(&thread, &attributes, work, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
  }
}
