// SPDX-License-Identifier: Apache-2.0
// Threads that do nothing end when glibc keeps too many stacks already: each frees what belonged to
// others', long after its own destructors have run, and then its own stack is unmapped.
// expect: alive
#include <pthread.h>
#include <sched.h>

#include "check.h"

enum { kThreads = 6000, kAtOnce = 6, kStackBytes = 16 << 20 };

static int ended = 0;

static void* work(void* argument) {
  __atomic_fetch_add(&ended, 1, __ATOMIC_RELAXED);
  return argument;
}

int main(void) {
  pthread_attr_t detached;
  CHECK(pthread_attr_init(&detached) == 0 && pthread_attr_setstacksize(&detached, kStackBytes) == 0);
  CHECK(pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED) == 0);
  for (int i = 0; i < kThreads; ++i) {
    pthread_t thread;
    CHECK(pthread_create(&thread, &detached, work, NULL) == 0);
    while (i - __atomic_load_n(&ended, __ATOMIC_RELAXED) > kAtOnce) sched_yield();
  }
  while (__atomic_load_n(&ended, __ATOMIC_RELAXED) < kThreads) sched_yield();
  free(used(malloc(100)));
  puts("alive");
}
