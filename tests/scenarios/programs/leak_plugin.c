// SPDX-License-Identifier: Apache-2.0
//
// The library that leak_dlopen loads: its cache entries are never freed.
#include <stdlib.h>
#include <string.h>

void* plugin_cache_entry(size_t bytes);

__attribute__((noinline, visibility("default"))) void* plugin_cache_entry(size_t bytes) {
  void* block = malloc(bytes);
  if (block != NULL) memset(block, 5, bytes);
  return block;
}
