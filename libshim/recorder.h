// SPDX-License-Identifier: Apache-2.0
//
// Owns the recording: opens it, gives slots to threads, folds them when threads end, starts anew in a
// forked child. Everything that is not the hot path and not the sampler.
//
// Stated once: every function here is in-target, allocates nothing, takes no lock, keeps errno, and may
// be called from a signal handler that interrupted any other.
#pragma once

#include <stdint.h>

#include "backends/backend.h"
#include "libshim/options.h"
#include "libshim/recording_layout.h"
#include "libshim/thread_state.h"

// -fvisibility speaks of definitions only; said here, an extern is reached without the GOT.
#pragma GCC visibility push(hidden)
namespace shim {

using recording::ArenaCell;
using recording::HotCell;
using recording::Recording;

/// Whether this is the library that is brought into running processes (attach/README.md). There a
/// recording can end and another begin while threads hold slots of the first.
#ifdef SHIM_ATTACH
inline constexpr bool kAttachBuild = true;
#else
inline constexpr bool kAttachBuild = false;
#endif

/// The process's recording; null while there is none (dormant, or before bootstrap). The address never
/// changes, not even in a forked child.
extern Recording* the_recording;

/// Set once by bootstrap, constant afterwards.
extern Options the_options;
extern const backends::Backend* the_backend;

/// Maps and fills a new recording: a file of OFFHEAP_RECORD, else a memfd, else anonymous memory that
/// only a reader of /proc/PID/mem can see. False when not even that can be had: the shim goes dormant.
bool open_recording(const Options& options, const backends::Backend* backend);

/// In a forked child: maps and fills a new recording over the inherited one. False: nothing changed.
bool replace_recording(Recording* recording);

/// The calling thread's slot; takes one at the first call. Null when the table is full or the thread is
/// past its last destructor: then count with count_shared().
ThreadSlot* acquire_slot();

/// Lets `slot`, which the calling thread has claimed and which is empty, begin to count.
void begin_slot(ThreadSlot* slot);

/// Slots of an earlier recording of the attach build, in attach/renewal.cc. A slot is stale from the
/// start of a new recording until its thread comes by: it renews it, gives it up at its end, or is gone
/// in a forked child.
bool is_stale(const ThreadSlot* slot);
void renew_slot(ThreadSlot* slot);
bool give_up_stale(const ThreadSlot* slot);
void forget_stale();

/// Adds to the counts of threads without a slot. `arena` is an Arena index; atomic.
void count_shared_in(uint32_t arena, uint64_t bytes);
void count_shared_out(uint32_t arena, uint64_t bytes);

/// The arena's index, entered at first sight; kUnnamedArenas when the table is full.
uint32_t arena_index(uint64_t arena_address);

/// What the slot's thread has counted in all arenas: in the recording's ByteUnit, but for jemalloc its
/// own bytes as last published.
ArenaCell totals_of(const ThreadSlot& slot);

/// Copies jemalloc's own counters of this thread into its slot.
void publish_jemalloc_bytes(ThreadSlot* slot);

/// Registers fork and thread-exit handlers. Called by bootstrap, before the recording is opened.
void register_handlers();

/// Runs in a forked child: maps private memory over the parent's counters.
void leave_parents_recording();

/// A forked child counts in private memory until this opens a recording of its own. Called on slow
/// paths; one load when there is nothing to do. True when it did something: the thread's countdown is
/// new.
bool reopen_after_fork();

/// Milliseconds since the recording was opened.
uint64_t recording_ms(uint64_t now_ns);

/// For every slot that was ever given out.
template <typename Visitor>
void for_each_slot(const Recording* recording, Visitor visit) {
  uint32_t count = __atomic_load_n(&recording->header.thread_high_water, __ATOMIC_RELAXED);
  if (count > recording::kThreadCapacity) count = recording::kThreadCapacity;
  for (uint32_t i = 0; i < count; ++i)
    if (__atomic_load_n(&recording->threads[i].tid, __ATOMIC_RELAXED)) visit(recording->threads[i]);
}

template <typename T>
T add_relaxed(T* word, T amount) {
  return __atomic_fetch_add(word, amount, __ATOMIC_RELAXED);
}

}  // namespace shim
#pragma GCC visibility pop
