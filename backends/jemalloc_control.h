// SPDX-License-Identifier: Apache-2.0
//
// What the shim asks of a jemalloc through mallctl: the embedded one or one that was preloaded. One
// jemalloc a process, so the functions to ask are kept here once, before the backend is handed out.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "libshim/recording_layout.h"

namespace backends::jemalloc_control {

struct Api {
  int (*mallctl)(const char* name, void* old, size_t* old_bytes, void* fresh, size_t fresh_bytes);
  size_t (*nallocx)(size_t size, int flags);
  void (*malloc_stats_print)(void (*write)(void*, const char*), void* opaque, const char* options);
};

void use(const Api& api);

/// "5.3.0-0-g54eaed1...", or null.
const char* version();

/// The members of Backend of the same names.
void statistics(recording::BackendStatistics* out);
bool thread_byte_counters(uint64_t** allocated, uint64_t** deallocated);
size_t good_size(size_t size);
void mallinfo2(void* out);
void malloc_stats();
/// Flushes this thread's cache and purges every arena: 1 when resident bytes went down.
int malloc_trim(size_t pad);

}  // namespace backends::jemalloc_control
