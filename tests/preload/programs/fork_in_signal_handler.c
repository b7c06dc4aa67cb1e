// SPDX-License-Identifier: Apache-2.0
// fork in a signal handler that interrupted malloc; parent and child go on.
// backends: next glibc next-mimalloc -- bare jemalloc and tcmalloc deadlock in their fork handlers
// env: OFFHEAP_SAMPLE=1K
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static volatile sig_atomic_t forks;

/// Once: where a fork takes longer than the time between two, the program would be in its handler only.
static void start_timer(void) {
  struct itimerval soon = {{0, 0}, {0, 2000}};
  CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
}

static void on_tick(int signal) {
  (void)signal;
  pid_t child = fork();
  if (child == 0) _exit(0);
  if (child > 0 && waitpid(child, NULL, 0) == child) ++forks;
  start_timer();
}

int main(void) {
  struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  start_timer();
  while (forks < 100) free(used(malloc(700)));
}
