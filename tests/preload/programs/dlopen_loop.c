// SPDX-License-Identifier: Apache-2.0
// A plugin that allocates in its constructor and destructor is loaded and unloaded a thousand times.
// env: OFFHEAP_SAMPLE=64
#include <dlfcn.h>

#include "check.h"

int main(void) {
  for (int i = 0; i < 1000; ++i) {
    void* plugin = dlopen(PLUGIN_DIR "/plugin_small_frames.so", RTLD_NOW);
    CHECK(plugin);
    void* (*allocate)(size_t) = NULL;
    *(void**)&allocate = dlsym(plugin, "plugin_allocate");
    void* block = allocate(100);
    CHECK(dlclose(plugin) == 0);
    free(block);
  }
}
