// SPDX-License-Identifier: Apache-2.0
//
// What each thread keeps in TLS: 64 bytes, initial-exec, no destructor. Read first: README.md, "The hot
// path".
#pragma once

#include <stdint.h>

#include "libshim/recording_layout.h"
#include "libshim/sampling/interval.h"

// -fvisibility speaks of definitions only; said here, an extern is reached without the GOT.
#pragma GCC visibility push(hidden)
namespace shim {

using recording::ThreadSlot;

/// A thread starts on this slot, which sends it to the slow path at its first malloc: the countdown is
/// below zero. There it gets a slot of its own. Steady state has no "is there a slot?" branch. What the
/// hot path adds here meanwhile is noise that nobody reads.
extern ThreadSlot sentinel_slot;
inline constexpr int64_t kNoCountdown = INT64_MIN / 2;

/// What a free that is no sample jumps to. `slot` is the calling thread's, so that it is loaded once.
using FreeFunction = void (*)(void* block, ThreadSlot* slot);

/// Of a thread without a slot: takes the slow way.
void free_first(void* block, ThreadSlot* slot);

/// Of threads with a slot. Set once by bootstrap.
extern FreeFunction free_of_threads;

struct ThreadState {
  ThreadSlot* slot = &sentinel_slot;  ///< glibc_malloc.cc relies on its being first
  FreeFunction free = free_first;
  int64_t countdown = kNoCountdown;  ///< jemalloc only: the slot's is no counter there
  Rng rng{};
  bool inside = false;         ///< in the slow path: allocations are counted but not sampled
  bool bootstrapping = false;  ///< choosing the backend: allocations come from the early arena
  bool leaving = false;        ///< the thread's slot is folded: what follows goes to the shared counts
  uint8_t exit_rounds = 0;     ///< times the thread-exit destructor has run
  uint8_t slotless_free_count = 0;    ///< frees before it had a slot: in the shared counts
  uint64_t slotless_freed_bytes = 0;  ///< of these; jemalloc only
};

extern thread_local constinit ThreadState thread_state __attribute__((tls_model("initial-exec")));

}  // namespace shim
#pragma GCC visibility pop
