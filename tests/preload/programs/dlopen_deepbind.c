// SPDX-License-Identifier: Apache-2.0
// A plugin opened with RTLD_DEEPBIND, which binds to libc's malloc past the preload.
// backends: next glibc -- over a foreign heap the bare allocator crashes: free gets a block of libc's
#include <dlfcn.h>

#include "check.h"

int main(void) {
  for (int i = 0; i < 100; ++i) {
    void* plugin = dlopen(PLUGIN_DIR "/plugin_large_frames.so", RTLD_NOW | RTLD_DEEPBIND);
    CHECK(plugin);
    void* (*allocate)(size_t) = NULL;
    void (*release)(void*) = NULL;
    *(void**)&allocate = dlsym(plugin, "plugin_allocate");
    *(void**)&release = dlsym(plugin, "plugin_free");
    free(allocate(1000));
    release(malloc(1000));
    CHECK(dlclose(plugin) == 0);
  }
}
