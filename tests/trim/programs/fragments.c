// SPDX-License-Identifier: Apache-2.0
//
// A quiet program with free memory in several arenas: each thread allocates blocks, keeps every n-th
// and frees the rest, then all wait. "look" on standard input is answered with mallinfo2's figures.
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kThreads = 4, kBlocks = 4000, kKeepEvery = 50 };

static pthread_barrier_t done;
static int pipes[2];

static void make_fragments(unsigned seed) {
  void** blocks = calloc(kBlocks, sizeof *blocks);
  for (int i = 0; i < kBlocks; ++i) {
    const size_t bytes = 1000 + (size_t)((unsigned)i * 7919u + seed) % 5000;
    blocks[i] = malloc(bytes);
    memset(blocks[i], 1, bytes);
  }
  for (int i = 0; i < kBlocks; ++i) {
    if (i % kKeepEvery != 0) free(blocks[i]);
  }
}

static void* work(void* seed) {
  make_fragments((unsigned)(uintptr_t)seed);
  pthread_barrier_wait(&done);
  char byte;
  return read(pipes[0], &byte, 1) < 0 ? seed : NULL;  // until the program ends
}

int main(void) {
  pthread_barrier_init(&done, NULL, kThreads + 1);
  if (pipe(pipes) != 0) return 1;
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; ++i)
    pthread_create(&threads[i], NULL, work, (void*)(uintptr_t)(i * 31));
  make_fragments(5);
  pthread_barrier_wait(&done);
  printf("{\"ready\": true}\n");
  fflush(stdout);
  char line[16];
  while (read(0, line, sizeof line) > 0) {
    printf("{\"alive\": true}\n");
    fflush(stdout);
  }
  return 0;
}
