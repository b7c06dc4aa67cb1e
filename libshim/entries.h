// SPDX-License-Identifier: Apache-2.0
//
// What each entry point does, for one policy: call the backend, and count on success. A failed call
// changes no counter. entry_points.cc exports one line an entry, through the table below.
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "libshim/counting.h"
#include "libshim/early_arena.h"
#include "libshim/sampler.h"

// -fvisibility speaks of definitions only; said here, an extern is reached without the GOT.
#pragma GCC visibility push(hidden)
namespace shim {

/// Where the exported symbols jump. Starts with the bootstrap's entries, which choose a backend at the
/// first call; constant afterwards.
struct EntryTable {
  void* (*malloc)(size_t);
  void (*free)(void*);
  void* (*calloc)(size_t, size_t);
  void* (*realloc)(void*, size_t);
  void* (*memalign)(size_t, size_t);
  int (*posix_memalign)(void**, size_t, size_t);
  void* (*aligned_alloc)(size_t, size_t);
  void* (*valloc)(size_t);
  void* (*pvalloc)(size_t);
  size_t (*usable_size)(void*);
};
extern EntryTable entry;

/// The table whose entries count by `Policy`, or count nothing (dormant).
template <typename Policy>
EntryTable counting_entries();
EntryTable dormant_entries();

/// Chooses the backend and sets `entry`. Idempotent; waits for another thread that is at it.
void bootstrap();

}  // namespace shim
#pragma GCC visibility pop
