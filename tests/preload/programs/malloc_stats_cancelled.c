// SPDX-License-Identifier: Apache-2.0
// A thread that is being cancelled asks for statistics: it ends, and nothing stays locked.
// backends: next glibc -- others write theirs without cancellation points in mind
#include <malloc.h>
#include <pthread.h>

#include "check.h"

static void* ask(void* file) {
  void* block = malloc(1000);
  pthread_cleanup_push(free, block);
  for (;;) {
    malloc_info(0, file);
    pthread_testcancel();
  }
  pthread_cleanup_pop(1);
  return NULL;
}

int main(void) {
  FILE* null = fopen("/dev/null", "w");
  for (int i = 0; i < 30; ++i) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, ask, null) == 0);
    CHECK(pthread_cancel(thread) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(malloc_info(0, null) == 0);
    free(used(malloc(1000)));
  }
  fclose(null);
}
