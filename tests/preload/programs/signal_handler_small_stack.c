// SPDX-License-Identifier: Apache-2.0
// malloc in a signal handler on a small alternate stack, every allocation sampled.
// env: OFFHEAP_SAMPLE=1
#include <signal.h>

#include "check.h"

static volatile sig_atomic_t handled;

static void handler(int signal) {
  (void)signal;
  for (int i = 0; i < 10; ++i) free(used(malloc(100)));
  ++handled;
}

int main(void) {
  static char stack[16384];
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  CHECK(sigaltstack(&alternate, NULL) == 0);
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  for (int i = 0; i < 200; ++i) {
    raise(SIGUSR1);
    free(used(malloc(200)));
  }
  CHECK(handled == 200);
}
