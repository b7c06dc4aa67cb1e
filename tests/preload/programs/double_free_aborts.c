// SPDX-License-Identifier: Apache-2.0
// glibc's checks see what a program does wrong as they do without the shim: it ends by SIGABRT, not
// later.
// backends: next glibc -- other allocators do not check
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static void twice(void) {
  void* block = malloc(100);
  free(block);
  free(used(block));
}
static void twice_large(void) {
  void* block = malloc(5000);
  used(malloc(5000));
  free(block);
  free(used(block));
}
static void within_a_block(void) {
  char* block = calloc(1, 1000);
  free(used(block + 8));
}
static void realloc_of_freed(void) {
  void* block = malloc(3000);
  used(malloc(100));
  free(block);
  char* inside = (char*)block + 4;
  free(used(realloc(used(inside), 50)));
}
static void on_the_stack(void) {
  size_t words[8] = {0};
  free(used(words + 2));
}

int main(void) {
  void (*const kWrongs[])(void) = {twice, twice_large, within_a_block, realloc_of_freed, on_the_stack};
  for (size_t i = 0; i < sizeof kWrongs / sizeof *kWrongs; ++i) {
    pid_t child = fork();
    if (child == 0) {
      struct rlimit none = {0, 0};
      setrlimit(RLIMIT_CORE, &none);
      close(2);
      kWrongs[i]();
      _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    printf("%zu: signal %d\n", i, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
  }
}
