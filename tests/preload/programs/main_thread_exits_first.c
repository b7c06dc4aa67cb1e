// SPDX-License-Identifier: Apache-2.0
// pthread_exit of the main thread: the process lives on in the others.
#include <pthread.h>
#include <unistd.h>

#include "check.h"

static void* work(void* main_thread) {
  pthread_join(*(pthread_t*)main_thread, NULL);
  for (int i = 0; i < 10000; ++i) free(used(malloc(100)));
  puts("outlived");
  exit(0);
}

int main(void) {
  static pthread_t main_thread;
  main_thread = pthread_self();
  pthread_t thread;
  free(used(malloc(1000)));
  CHECK(pthread_create(&thread, NULL, work, &main_thread) == 0);
  pthread_exit(NULL);
}
