// SPDX-License-Identifier: Apache-2.0
//
// 64 MiB reserved is not 64 MiB resident: sixteen threads give glibc sixteen reservations of 64 MiB,
// the program reserves 4 GiB of address space more, and next to nothing of it is touched.
#include <pthread.h>
#include <sys/mman.h>

#include "scenario.h"

enum { kThreads = 16 };
static pthread_barrier_t barrier;

static void* idle(void* unused) {
  char* volatile block = (char*)malloc(100);
  if (block == NULL) abort();
  block[0] = 1;
  pthread_barrier_wait(&barrier);
  for (;;) pause();
  return unused;
}

int main(void) {
  pthread_barrier_init(&barrier, NULL, kThreads + 1);
  for (int i = 0; i < kThreads; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, idle, NULL) != 0) abort();
  }
  char* space = (char*)mmap(NULL, (size_t)4 << 30, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (space == MAP_FAILED) abort();
  space[0] = 1;
  pthread_barrier_wait(&barrier);
  scenario_say("ready", "healthy", NULL, 0, "");
  scenario_rest();
}
