// SPDX-License-Identifier: Apache-2.0
//
// Many idle threads, each with a full thread cache: seven blocks of each of the 64 classes of glibc.
#include <pthread.h>

#include "scenario.h"

enum { kThreads = 160, kClasses = 64, kEach = 7 };
static pthread_barrier_t barrier;
static uint64_t cached_bytes;

static void* fill_cache(void* unused) {
  void* blocks[kEach];
  for (size_t class_index = 0; class_index < kClasses; class_index++) {
    size_t bytes = 24 + 16 * class_index;
    for (int i = 0; i < kEach; i++) {
      blocks[i] = malloc(bytes);
      if (blocks[i] == NULL) abort();
      memset(blocks[i], 1, bytes);
      __atomic_fetch_add(&cached_bytes, (uint64_t)malloc_usable_size(blocks[i]), __ATOMIC_RELAXED);
    }
    for (int i = 0; i < kEach; i++) free(blocks[i]);
  }
  pthread_barrier_wait(&barrier);
  for (;;) pause();
  return unused;
}

int main(void) {
  pthread_barrier_init(&barrier, NULL, kThreads + 1);
  for (int i = 0; i < kThreads; i++) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    if (pthread_create(&thread, &attributes, fill_cache, NULL) != 0) abort();
    pthread_attr_destroy(&attributes);
  }
  pthread_barrier_wait(&barrier);
  char extra[64];
  snprintf(extra, sizeof extra, ",\"cached_bytes\":%llu", (unsigned long long)cached_bytes);
  scenario_say("ready", "retention", NULL, 0, extra);
  scenario_rest();
}
