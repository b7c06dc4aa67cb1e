// SPDX-License-Identifier: Apache-2.0
// Timer signals that interrupt sampling find errno and the program's state as they should be.
// backends: next glibc jemalloc tcmalloc next-jemalloc -- mimalloc itself changes errno
// env: OFFHEAP_SAMPLE=1
#include <errno.h>
#include <signal.h>
#include <sys/time.h>

#include "check.h"

static volatile sig_atomic_t ticks;

static void on_tick(int signal) {
  (void)signal;
  ++ticks;
}

int main(void) {
  struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  struct itimerval often = {{0, 300}, {0, 300}};
  CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
  while (ticks < 500) {
    errno = 4321;
    free(used(malloc(64)));
    CHECK(errno == 4321);
  }
}
