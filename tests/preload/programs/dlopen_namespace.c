// SPDX-License-Identifier: Apache-2.0
// A plugin in a linker namespace of its own (dlmopen), with a libc of its own.
#include <dlfcn.h>

#include "check.h"

int main(void) {
  void* plugin = dlmopen(LM_ID_NEWLM, PLUGIN_DIR "/plugin_small_frames.so", RTLD_NOW);
  CHECK(plugin);
  void* (*allocate)(size_t) = NULL;
  void (*release)(void*) = NULL;
  *(void**)&allocate = dlsym(plugin, "plugin_allocate");
  *(void**)&release = dlsym(plugin, "plugin_free");
  for (int i = 0; i < 1000; ++i) release(allocate(1000));
  free(used(malloc(1000)));
}
