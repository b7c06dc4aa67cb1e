// SPDX-License-Identifier: Apache-2.0
//
// Threads are made and never end; each has used 384 KiB of its stack.
#include <pthread.h>

#include "scenario.h"

enum { kUsedStackBytes = 384 * 1024 };
static int started;

SCENARIO_NOINLINE static void use_stack(void) {
  volatile char buffer[kUsedStackBytes];
  for (size_t i = 0; i < sizeof buffer; i += 512) buffer[i] = (char)i;
}

static void* wait_forever(void* unused) {
  use_stack();
  __atomic_fetch_add(&started, 1, __ATOMIC_RELAXED);
  for (;;) pause();
  return unused;
}

static void say(const char* event) {
  char extra[96];
  snprintf(extra, sizeof extra, ",\"threads\":%d,\"stack_bytes\":%llu", started,
           (unsigned long long)started * kUsedStackBytes);
  scenario_say(event, "thread-stacks", NULL, 0, extra);
}

int main(void) {
  double start = scenario_now();
  int made = 0;
  say("ready");
  while (scenario_working()) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, wait_forever, NULL) != 0) abort();
    pthread_detach(thread);
    scenario_pace(start, (uint64_t)++made, 25);
  }
  while (__atomic_load_n(&started, __ATOMIC_RELAXED) < made) scenario_sleep_ms(5);
  say("held");
  scenario_rest();
}
