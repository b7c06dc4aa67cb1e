// SPDX-License-Identifier: Apache-2.0
//
// A library loaded at run time leaks. With a third argument "unload" the library is gone by the time
// somebody asks: the site must still have its name.
#include <dlfcn.h>

#include "scenario.h"

typedef void* (*entry_function)(size_t);

int main(int argc, char** argv) {
  static struct scenario_site site = {"plugin_cache_entry", 0, 0};
  static struct scenario_churn churn;
  if (argc < 3) return 2;
  uint64_t state = scenario_seed(argc, argv);
  churn.state = state ^ 0x5555;
  void* library = dlopen(argv[2], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  void* symbol = dlsym(library, "plugin_cache_entry");
  entry_function entry;
  memcpy(&entry, &symbol, sizeof entry);
  double start = scenario_now();
  scenario_say("ready", "leak", &site, 1, "");
  while (scenario_working()) {
    for (int i = 0; i < 64; i++) {
      size_t bytes = scenario_between(&state, 300, 900);
      scenario_count(&site, entry(bytes), bytes);
      scenario_churn_step(&churn, 6000);
    }
    scenario_pace(start, site.requested_bytes, 10e6);
  }
  if (argc > 3 && strcmp(argv[3], "unload") == 0) dlclose(library);
  scenario_say("held", "leak", &site, 1, "");
  scenario_rest();
}
