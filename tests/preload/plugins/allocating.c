// SPDX-License-Identifier: Apache-2.0
//
// A plugin that allocates while it is loaded, used and unloaded. PLUGIN_FRAME_BYTES, set by the build,
// gives plugins of one shape frames of different sizes: unwinding rows of one are wrong for another.
#include <string.h>

#include "../check.h"

static void* kept;

__attribute__((constructor)) static void load(void) { kept = used(malloc(777)); }
__attribute__((destructor)) static void unload(void) { free(kept); }

/// Allocates under three frames of this plugin. The result is the caller's.
__attribute__((noinline)) static void* allocate_leaf(size_t size) {
  volatile char frame[PLUGIN_FRAME_BYTES];
  frame[size % PLUGIN_FRAME_BYTES] = 1;
  void* block = used(malloc(size));
  CHECK(frame[size % PLUGIN_FRAME_BYTES] == 1);
  return block;
}
__attribute__((noinline)) static void* allocate_middle(size_t size) {
  volatile char frame[PLUGIN_FRAME_BYTES * 2];
  frame[size % PLUGIN_FRAME_BYTES] = 1;
  void* block = allocate_leaf(size);
  CHECK(frame[size % PLUGIN_FRAME_BYTES] == 1);
  return block;
}
void* plugin_allocate(size_t size) { return used(allocate_middle(size)); }

/// Calls back at the place where plugin_allocate allocates, so that a test can see the true stack.
void plugin_call(void (*callback)(void*), void* argument) {
  volatile char frame[PLUGIN_FRAME_BYTES * 3];
  frame[0] = 1;
  callback(argument);
  CHECK(frame[0] == 1);
}
void plugin_free(void* block) { free(block); }
