// SPDX-License-Identifier: Apache-2.0
//
// Threads that fill an arena each and free all but one block of 64 KiB: nearly everything is free, and
// how much of it stays resident is the allocator's own affair. Prints what is resident at the end.
//
//   pairs THREADS MIB_EACH
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kBlockBytes = 1024, kKeptOfBlocks = 64 };

static size_t blocks_each;
static pthread_barrier_t filled;

static void* fill_and_free(void* unused) {
  char** blocks = malloc(blocks_each * sizeof *blocks);
  for (size_t i = 0; i < blocks_each; ++i) memset(blocks[i] = malloc(kBlockBytes), 1, kBlockBytes);
  pthread_barrier_wait(&filled);
  for (size_t i = 0; i < blocks_each; ++i)
    if (i % kKeptOfBlocks != 0) free(blocks[i]);
  return unused;
}

static long resident_kib(void) {
  FILE* file = fopen("/proc/self/smaps_rollup", "r");
  char line[256];
  long kib = -1;
  while (file && fgets(line, sizeof line, file) && sscanf(line, "Rss: %ld", &kib) != 1) {
  }
  if (file) fclose(file);
  return kib;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const int threads = atoi(argv[1]);
  blocks_each = strtoul(argv[2], NULL, 10) * 1024 * 1024 / kBlockBytes;
  pthread_t ids[64];
  if (threads < 1 || threads > 64) return 2;
  pthread_barrier_init(&filled, NULL, (unsigned)threads);
  for (int i = 0; i < threads; ++i) pthread_create(&ids[i], NULL, fill_and_free, NULL);
  for (int i = 0; i < threads; ++i) pthread_join(ids[i], NULL);
  printf("%ld\n", resident_kib() * 1024);
  return 0;
}
