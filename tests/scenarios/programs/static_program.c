// SPDX-License-Identifier: Apache-2.0
//
// Linked statically: LD_PRELOAD has no effect on it, and offheap must say so.
#include "scenario.h"

int main(void) {
  void* block = malloc(1000);
  scenario_keep(block);
  scenario_say("ready", "healthy", NULL, 0, "");
  scenario_rest();
}
