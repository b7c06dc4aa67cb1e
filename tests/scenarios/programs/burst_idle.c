// SPDX-License-Identifier: Apache-2.0
//
// A thread has a burst of 150 MB, frees it all and sleeps for good. jemalloc decays unused pages only
// when a thread allocates, so the pages stay for as long as the process is idle.
#include <pthread.h>

#include "scenario.h"

enum { kBlocks = 10000, kBlockBytes = 15000 };
static void* blocks[kBlocks];
static pthread_barrier_t freed;

static void* serve(void* unused) {
  for (int i = 0; i < kBlocks; i++) {
    blocks[i] = malloc(kBlockBytes);
    if (blocks[i] == NULL) abort();
    memset(blocks[i], 1, kBlockBytes);
  }
  for (int i = 0; i < kBlocks; i++) free(blocks[i]);
  pthread_barrier_wait(&freed);
  for (;;) pause();
  return unused;
}

int main(void) {
  pthread_t thread;
  pthread_barrier_init(&freed, NULL, 2);
  if (pthread_create(&thread, NULL, serve, NULL) != 0) abort();
  pthread_barrier_wait(&freed);
  scenario_say("ready", "retention", NULL, 0, ",\"freed_bytes\":150000000");
  scenario_rest();
}
