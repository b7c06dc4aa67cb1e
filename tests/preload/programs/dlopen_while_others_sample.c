// SPDX-License-Identifier: Apache-2.0
// Plugins come and go while other threads allocate, every allocation sampled.
// env: OFFHEAP_SAMPLE=1
#include <dlfcn.h>

#include "busy_threads.h"

int main(void) {
  pthread_t threads[3];
  start_busy_threads(threads, 3);
  for (int i = 0; i < 200; ++i) {
    void* plugin = dlopen(
        i % 2 ? PLUGIN_DIR "/plugin_small_frames.so" : PLUGIN_DIR "/plugin_large_frames.so", RTLD_NOW);
    CHECK(plugin);
    void* (*allocate)(size_t) = NULL;
    *(void**)&allocate = dlsym(plugin, "plugin_allocate");
    for (int k = 0; k < 100; ++k) free(allocate(100));
    CHECK(dlclose(plugin) == 0);
  }
  join_busy_threads(threads, 3);
}
