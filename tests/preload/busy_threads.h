// SPDX-License-Identifier: Apache-2.0
//
// Threads that allocate for as long as the program runs, for programs about what happens meanwhile.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "check.h"

static atomic_int stop_busy_threads;

static void* allocate_until_stopped(void* unused) {
  (void)unused;
  void* blocks[64] = {0};
  for (size_t i = 0; !atomic_load_explicit(&stop_busy_threads, memory_order_relaxed); ++i) {
    free(blocks[i % 64]);
    blocks[i % 64] = used(malloc(16 + i * 37 % 3000));
  }
  for (int i = 0; i < 64; ++i) free(blocks[i]);
  return NULL;
}

static inline void start_busy_threads(pthread_t* threads, int count) {
  for (int i = 0; i < count; ++i)
    CHECK(pthread_create(&threads[i], NULL, allocate_until_stopped, NULL) == 0);
}

static inline void join_busy_threads(pthread_t* threads, int count) {
  atomic_store(&stop_busy_threads, 1);
  for (int i = 0; i < count; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
}
