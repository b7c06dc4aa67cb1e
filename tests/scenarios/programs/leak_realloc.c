// SPDX-License-Identifier: Apache-2.0
//
// Leak by growth: a thousand log buffers that are only ever made longer, by realloc.
#include "scenario.h"

enum { kBuffers = 1000 };
static char* buffers[kBuffers];
static size_t lengths[kBuffers];

SCENARIO_NOINLINE static void append_log(size_t index, size_t bytes) {
  char* longer = (char*)realloc(buffers[index], lengths[index] + bytes);
  if (longer == NULL) abort();
  memset(longer + lengths[index], 3, bytes);
  buffers[index] = longer;
  lengths[index] += bytes;
}

static void measure(struct scenario_site* site) {
  site->live_bytes = site->requested_bytes = 0;
  for (size_t i = 0; i < kBuffers; i++) {
    if (buffers[i] != NULL) scenario_count(site, buffers[i], lengths[i]);
  }
}

int main(int argc, char** argv) {
  static struct scenario_site site = {"append_log", 0, 0};
  static struct scenario_churn churn;
  uint64_t state = scenario_seed(argc, argv);
  uint64_t appended = 0;
  churn.state = state ^ 0x5555;
  double start = scenario_now();
  scenario_say("ready", "leak", &site, 1, "");
  while (scenario_working()) {
    for (int i = 0; i < 64; i++) {
      size_t bytes = scenario_between(&state, 100, 700);
      append_log(scenario_random(&state) % kBuffers, bytes);
      appended += bytes;
      scenario_churn_step(&churn, 2000);
    }
    scenario_pace(start, appended, 10e6);
  }
  measure(&site);
  scenario_say("held", "leak", &site, 1, "");
  scenario_rest();
}
