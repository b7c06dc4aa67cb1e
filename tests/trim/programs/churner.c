// SPDX-License-Identifier: Apache-2.0
//
// Four threads that allocate and free without pause while the main thread waits for a line. At the end
// it checks that no block was damaged and says how many it has made.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kThreads = 4, kBlocks = 512 };

static volatile int stop;
static uint64_t made[kThreads];
static int damaged[kThreads];

static void* churn(void* number) {
  const int self = (int)(intptr_t)number;
  unsigned char* blocks[kBlocks] = {0};
  size_t sizes[kBlocks] = {0};
  uint64_t random = 88172645463325252ULL + (uint64_t)self;
  while (!stop) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    const size_t at = random % kBlocks;
    if (blocks[at] &&
        (blocks[at][0] != (unsigned char)at || blocks[at][sizes[at] - 1] != (unsigned char)at))
      damaged[self] = 1;
    free(blocks[at]);
    sizes[at] = 16 + (random >> 20) % 20000;
    blocks[at] = malloc(sizes[at]);
    memset(blocks[at], (int)at, sizes[at]);
    ++made[self];
  }
  for (int i = 0; i < kBlocks; ++i) free(blocks[i]);
  return NULL;
}

int main(void) {
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; ++i) pthread_create(&threads[i], NULL, churn, (void*)(intptr_t)i);
  printf("{\"ready\": true}\n");
  fflush(stdout);
  char line[16];
  const ssize_t got = read(0, line, sizeof line);
  stop = 1;
  uint64_t total = 0;
  int bad = 0;
  for (int i = 0; i < kThreads; ++i) {
    pthread_join(threads[i], NULL);
    total += made[i];
    bad += damaged[i];
  }
  printf("{\"result\": %zd, \"made\": %llu, \"damaged\": %d}\n", got, (unsigned long long)total, bad);
  return 0;
}
