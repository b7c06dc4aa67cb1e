// SPDX-License-Identifier: Apache-2.0
//
// What each thread keeps in TLS: 40 bytes, initial-exec, no destructor. Read first: README.md, "The hot
// path".
#pragma once

#include <stdint.h>

#include "libshim/recording_layout.h"
#include "libshim/sampling/interval.h"

// -fvisibility speaks of definitions only; said here, an extern is reached without the GOT.
#pragma GCC visibility push(hidden)
namespace shim {

using recording::ThreadSlot;

/// A thread starts on this slot, which sends it to the slow path at its first malloc (the countdown is
/// below zero) and at its first free (the count of freed bytes is negative, and so is that of freed
/// blocks), where it gets a slot of its own. Steady state has no "is there a slot?" branch. What the
/// hot path adds here meanwhile is noise that nobody reads.
extern ThreadSlot sentinel_slot;

/// All-zero is the valid initial state but for `slot`.
struct ThreadState {
  ThreadSlot* slot = &sentinel_slot;
  Rng rng{};
  bool inside = false;         ///< in the slow path: allocations are counted but not sampled
  bool bootstrapping = false;  ///< choosing the backend: allocations come from the early arena
  bool leaving = false;        ///< the thread's slot is folded: what follows goes to the shared counts
  uint8_t exit_rounds = 0;     ///< times the thread-exit destructor has run
};

extern thread_local constinit ThreadState thread_state __attribute__((tls_model("initial-exec")));

}  // namespace shim
#pragma GCC visibility pop
