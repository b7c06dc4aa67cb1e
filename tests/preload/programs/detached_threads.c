// SPDX-License-Identifier: Apache-2.0
// Detached threads that are still ending when the process ends.
#include <pthread.h>
#include <unistd.h>

#include "check.h"

static void* work(void* block) {
  free(block);
  free(used(malloc(3000)));
  return NULL;
}

int main(void) {
  for (int i = 0; i < 200; ++i) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, work, malloc(1000)) == 0);
    CHECK(pthread_detach(thread) == 0);
  }
}
