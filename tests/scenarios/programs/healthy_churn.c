// SPDX-License-Identifier: Apache-2.0
//
// Nothing is wrong: two threads of ordinary traffic at a steady size.
#include <pthread.h>

#include "scenario.h"

static int stopping;

static void* serve(void* seed) {
  struct scenario_churn* churn = (struct scenario_churn*)calloc(1, sizeof *churn);
  if (churn == NULL) abort();
  churn->state = *(uint64_t*)seed + 1;
  uint64_t bytes = 0;
  double start = scenario_now();
  while (!__atomic_load_n(&stopping, __ATOMIC_RELAXED)) {
    scenario_churn_step(churn, 500000);
    bytes += 500000;
    scenario_pace(start, bytes, 50e6);
  }
  for (int i = 0; i < kScenarioChurnSlots; i++) free(churn->slots[i]);
  free(churn);
  return NULL;
}

int main(int argc, char** argv) {
  uint64_t seeds[2] = {scenario_seed(argc, argv), scenario_seed(argc, argv) + 12345};
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, serve, &seeds[i]);
  scenario_sleep_ms(1000);
  scenario_say("ready", "healthy", NULL, 0, "");
  while (scenario_working()) scenario_sleep_ms(20);
  __atomic_store_n(&stopping, 1, __ATOMIC_RELAXED);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  scenario_say("held", "healthy", NULL, 0, "");
  scenario_rest();
}
