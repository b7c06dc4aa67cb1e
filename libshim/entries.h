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
  void (*free_slow)(void*);  ///< of any pointer, in any thread
  FreeFunction free;         ///< of what is no sample, in a thread with a slot
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

/// free, as every entry point that frees does it. The tag table is asked before the jump, so that under
/// jemalloc, where there is nothing to count, the jump goes to the backend itself.
SHIM_HOT void free_block(void* block) {
  if (SHIM_UNLIKELY(tag_is_near_sample(block))) return entry.free_slow(block);
  thread_state.free(block, thread_state.slot);
}

/// The table whose entries count by `Policy`, or count nothing (dormant).
template <typename Policy>
EntryTable counting_entries();
EntryTable dormant_entries();

/// Chooses the backend and sets `entry`. Idempotent; waits for another thread that is at it.
void bootstrap();

}  // namespace shim
#pragma GCC visibility pop
