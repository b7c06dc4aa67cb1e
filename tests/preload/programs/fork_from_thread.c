// SPDX-License-Identifier: Apache-2.0
// fork from a thread other than the main one: the child's only thread allocates on.
// env: OFFHEAP_SAMPLE=64
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static void* fork_and_wait(void* block) {
  pid_t child = fork();
  if (child == 0) {
    free(block);
    for (int i = 0; i < 1000; ++i) free(used(malloc(100)));
    _exit(5);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 5);
  free(block);
  return NULL;
}

int main(void) {
  for (int i = 0; i < 20; ++i) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, fork_and_wait, malloc(500)) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
  }
}
