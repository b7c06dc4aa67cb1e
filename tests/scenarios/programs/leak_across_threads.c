// SPDX-License-Identifier: Apache-2.0
//
// One thread makes messages, another takes them and forgets to free every tenth.
#include <pthread.h>

#include "scenario.h"

enum { kQueue = 256, kKeep = 10 };
static void* queue[kQueue];
static size_t sizes[kQueue];
static size_t head, tail;  // head: next to take, tail: next to put; under the mutex
static int stopping;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct scenario_site site = {"produce_message", 0, 0};

SCENARIO_NOINLINE static void* produce_message(size_t bytes) {
  void* block = malloc(bytes);
  if (block == NULL) abort();
  memset(block, 9, bytes);
  return block;
}

static void put(void* block, size_t bytes) {
  pthread_mutex_lock(&mutex);
  while (tail - head == kQueue) pthread_cond_wait(&changed, &mutex);
  queue[tail % kQueue] = block;
  sizes[tail % kQueue] = bytes;
  tail++;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&mutex);
}

static void* consume(void* unused) {
  uint64_t taken = 0;
  for (;;) {
    pthread_mutex_lock(&mutex);
    while (head == tail && !stopping) pthread_cond_wait(&changed, &mutex);
    if (head == tail) break;
    void* block = queue[head % kQueue];
    size_t bytes = sizes[head % kQueue];
    head++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    if (++taken % kKeep == 0) {
      scenario_count(&site, block, bytes);
    } else {
      free(block);
    }
  }
  pthread_mutex_unlock(&mutex);
  return unused;
}

static void* produce(void* seed) {
  uint64_t state = *(uint64_t*)seed;
  uint64_t produced = 0;
  double start = scenario_now();
  while (!__atomic_load_n(&stopping, __ATOMIC_RELAXED)) {
    for (int i = 0; i < 64; i++) {
      size_t bytes = scenario_between(&state, 200, 1400);
      put(produce_message(bytes), bytes);
      produced += bytes;
    }
    scenario_pace(start, produced, 100e6);
  }
  return NULL;
}

int main(int argc, char** argv) {
  uint64_t seed = scenario_seed(argc, argv);
  pthread_t producer, consumer;
  pthread_create(&producer, NULL, produce, &seed);
  pthread_create(&consumer, NULL, consume, NULL);
  scenario_say("ready", "leak", &site, 1, "");
  while (scenario_working()) scenario_sleep_ms(20);
  __atomic_store_n(&stopping, 1, __ATOMIC_RELAXED);
  pthread_join(producer, NULL);
  pthread_mutex_lock(&mutex);
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&mutex);
  pthread_join(consumer, NULL);
  scenario_say("held", "leak", &site, 1, "");
  scenario_rest();
}
