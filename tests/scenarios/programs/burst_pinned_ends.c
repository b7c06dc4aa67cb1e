// SPDX-License-Identifier: Apache-2.0
//
// The "64 MB pairs": many threads, a burst of requests in each, all freed but one small block that was
// allocated last, so that it stands at the end of its arena and nothing below it is given back.
#include <pthread.h>

#include "scenario.h"

enum { kThreads = 8, kBurstBytes = 40 << 20, kBlocks = 60000 };
static pthread_barrier_t burst_done, freed;
static struct scenario_site survivors = {"keep_connection", 0, 0};
static uint64_t seed;
static uint64_t freed_bytes;

SCENARIO_NOINLINE static void* keep_connection(void) {
  // Larger than a tcache class, so that it comes from the end of the arena and not from a cache.
  void* block = malloc(2000);
  if (block == NULL) abort();
  memset(block, 2, 2000);
  scenario_count(&survivors, block, 2000);
  return block;
}

static void* serve(void* index) {
  uint64_t state = seed + 77 * (uint64_t)(uintptr_t)index;
  void** blocks = (void**)calloc(kBlocks, sizeof *blocks);
  uint64_t bytes = 0;
  int count = 0;
  while (blocks != NULL && bytes < kBurstBytes && count < kBlocks) {
    size_t size = scenario_between(&state, 300, 3000);
    blocks[count] = malloc(size);
    if (blocks[count] == NULL) abort();
    memset(blocks[count++], 1, size);
    bytes += size;
  }
  pthread_barrier_wait(&burst_done);
  void* volatile survivor = keep_connection();
  while (count > 0) free(blocks[--count]);
  free(blocks);
  __atomic_fetch_add(&freed_bytes, bytes, __ATOMIC_RELAXED);
  pthread_barrier_wait(&freed);
  for (;;) pause();
  return survivor;
}

int main(int argc, char** argv) {
  seed = scenario_seed(argc, argv);
  pthread_barrier_init(&burst_done, NULL, kThreads);
  pthread_barrier_init(&freed, NULL, kThreads + 1);
  for (uintptr_t i = 0; i < kThreads; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, (void*)i) != 0) abort();
  }
  pthread_barrier_wait(&freed);
  char extra[64];
  snprintf(extra, sizeof extra, ",\"freed_bytes\":%llu", (unsigned long long)freed_bytes);
  scenario_say("ready", "fragmentation", &survivors, 1, extra);
  scenario_rest();
}
