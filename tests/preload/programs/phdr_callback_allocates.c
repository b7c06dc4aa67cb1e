// SPDX-License-Identifier: Apache-2.0
// Allocation inside dl_iterate_phdr, which holds the loader's lock, while others sample and load.
// env: OFFHEAP_SAMPLE=1
#include <dlfcn.h>
#include <link.h>

#include "busy_threads.h"

static int allocate_inside(struct dl_phdr_info* info, size_t size, void* calls) {
  (void)info, (void)size;
  for (int i = 0; i < 10; ++i) free(used(malloc(300)));
  ++*(int*)calls;
  return 0;
}

int main(void) {
  pthread_t threads[3];
  start_busy_threads(threads, 3);
  int calls = 0;
  for (int i = 0; i < 500; ++i) {
    dl_iterate_phdr(allocate_inside, &calls);
    void* plugin = dlopen(PLUGIN_DIR "/plugin_small_frames.so", RTLD_NOW);
    CHECK(plugin && dlclose(plugin) == 0);
  }
  join_busy_threads(threads, 3);
  CHECK(calls >= 500);
}
