// SPDX-License-Identifier: Apache-2.0
//
// Threads that wait for an arena's lock because another holds it for milliseconds: malloc_info() counts
// a hundred thousand free chunks under the lock of the main arena, again and again. Where the threads
// have arenas of their own, malloc_info() is the one to wait, for each in turn. Appends to FILE how
// many seconds they waited by the scheduler's own count.
//
//   contend FILE
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { kFreeChunks = 100000, kThreads = 3, kWorkBytes = 4096 };
static const double kSeconds = 1.5;

static atomic_bool over;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/// Seconds in which this thread ran, or waited for a core. Source:
/// Documentation/scheduler/sched-stats.rst.
static double runnable_seconds(void) {
  unsigned long long run_ns = 0;
  unsigned long long delay_ns = 0;
  FILE* file = fopen("/proc/thread-self/schedstat", "r");
  if (file == NULL || fscanf(file, "%llu %llu", &run_ns, &delay_ns) != 2) abort();
  fclose(file);
  return 1e-9 * (double)(run_ns + delay_ns);
}

/// Seconds in which this thread slept: what it waits for is locks alone.
static double slept_seconds(void) { return now() - runnable_seconds(); }

static void* allocate(void* slept) {
  const double begin = slept_seconds();
  while (!atomic_load(&over)) {
    char* block = malloc(kWorkBytes);
    block[0] = 1;
    free(block);
  }
  *(double*)slept = slept_seconds() - begin;
  return NULL;
}

int main(int argc, char** argv) {
  static char* blocks[2 * kFreeChunks];
  if (argc < 2) return 2;
  for (size_t i = 0; i < 2 * kFreeChunks; ++i) blocks[i] = malloc(600);
  for (size_t i = 0; i < 2 * kFreeChunks; i += 2) free(blocks[i]);
  FILE* nowhere = fopen("/dev/null", "w");
  FILE* truth = fopen(argv[1], "a");
  if (nowhere == NULL || truth == NULL) return 2;

  pthread_t threads[kThreads];
  double slept[kThreads] = {0};
  for (int i = 0; i < kThreads; ++i) pthread_create(&threads[i], NULL, allocate, &slept[i]);
  double sum = -slept_seconds();
  // Another allocator answers from statistics of its own, behind other locks: there nobody asks.
  const bool counts_chunks = mallinfo2().ordblks > kFreeChunks / 2;
  for (const double begin = now(); now() - begin < kSeconds;)
    if (counts_chunks) malloc_info(0, nowhere);
  sum += slept_seconds();
  atomic_store(&over, 1);
  for (int i = 0; i < kThreads; ++i) {
    pthread_join(threads[i], NULL);
    sum += slept[i];
  }
  fprintf(truth, "%.6f\n", sum);
  fclose(truth);
  return 0;
}
