// SPDX-License-Identifier: Apache-2.0
//
// Slots of threads: taken at a thread's first allocation or 65th free, folded into the shared counts
// when it ends; and what a fork does to them.
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libshim/process.h"
#include "libshim/raw_syscall.h"
#include "libshim/recorder.h"
#include "libshim/sampler.h"

namespace shim {
namespace {

using recording::BackendKind;
using recording::kThreadCapacity;

pthread_key_t exit_key;
bool exit_key_valid = false;

// One page that the kernel zeroes in every forked child, also one made by a raw clone that runs no
// atfork handler. vfork and posix_spawn children share our memory and see it unchanged: they count into
// their parent's slot, which is right, since what they allocate is their parent's.
// Source: madvise(2) MADV_WIPEONFORK, Linux 4.14.
uint32_t* fork_canary = nullptr;
uint32_t no_canary = 1;
// In a forked child until its first slow path: the counters are private, zeroed memory.
bool counting_privately = false;

/// Counts of a hot cell in the recording's ByteUnit.
ArenaCell cell_of(const HotCell& cell) {
  bool chunks = the_recording->header.backend_kind == BackendKind::kGlibc;
  return {static_cast<uint64_t>(cell.allocated_base - cell.countdown), cell.allocated_count,
          cell.freed * (chunks ? recording::kChunkWordBytes : 1), cell.freed_count};
}

void add(ArenaCell* to, const ArenaCell& cell) {
  to->in_bytes += cell.in_bytes;
  to->in_count += cell.in_count;
  to->out_bytes += cell.out_bytes;
  to->out_count += cell.out_count;
}

void draw_first(HotCell* cell) {
  cell->sample_mean_bytes = sample_mean_bytes();
  cell->countdown = cell->allocated_base = next_countdown(cell->sample_mean_bytes);
}

void add_cell(const ArenaCell& cell, recording::Arena* arena) {
  if (!cell.in_count && !cell.out_count) return;
  add_relaxed(&arena->folded_in_bytes, cell.in_bytes);
  add_relaxed(&arena->folded_in_count, cell.in_count);
  add_relaxed(&arena->folded_out_bytes, cell.out_bytes);
  add_relaxed(&arena->folded_out_count, cell.out_count);
}

/// Adds the slot's counts to the shared ones and frees it. The caller owns the slot.
void fold(ThreadSlot* slot) {
  Recording* recording = the_recording;
  ArenaCell totals = totals_of(*slot);
  add_relaxed(&recording->header.folded.in_bytes, totals.in_bytes);
  add_relaxed(&recording->header.folded.in_count, totals.in_count);
  add_relaxed(&recording->header.folded.out_bytes, totals.out_bytes);
  add_relaxed(&recording->header.folded.out_count, totals.out_count);
  add_cell(slot->mmapped, &recording->arenas[recording::kMmappedChunks]);
  if (slot->own_index) add_cell(cell_of(slot->own), &recording->arenas[slot->own_index]);
  for (uint32_t i = 0; i < recording::kOtherCells; ++i)
    if (slot->other_index[i]) add_cell(slot->others[i], &recording->arenas[slot->other_index[i]]);
  // All but the two words between: for as long as it has a tid nobody else claims it.
  memset(static_cast<void*>(slot), 0, offsetof(ThreadSlot, tid));
  memset(static_cast<void*>(slot->name), 0, sizeof *slot - offsetof(ThreadSlot, name));
  __atomic_store_n(&slot->tid, 0u, __ATOMIC_RELEASE);  // whoever claims it next must see it empty
}

/// Runs in each of glibc's destructor rounds and folds in the last, after other destructors have freed
/// what they hold. What comes later still is counted in the shared cells.
void on_thread_exit(void* slot) {
#ifdef SHIM_UNDER_TSAN  // which leaves the thread in the last round, before us
  constexpr uint8_t kLastRound = 2;
#else
  constexpr uint8_t kLastRound = 4;  // PTHREAD_DESTRUCTOR_ITERATIONS
#endif
  if (++thread_state.exit_rounds < kLastRound) {
    pthread_setspecific(exit_key, slot);
    return;
  }
  ThreadSlot* own = thread_state.slot;
  thread_state.leaving = true;
  thread_state.slot = &sentinel_slot;
  thread_state.free = free_first;
  thread_state.countdown = kNoCountdown;
  if (own == &sentinel_slot) return;
  if constexpr (kAttachBuild) {
    if (give_up_stale(own)) return;
  }
  publish_jemalloc_bytes(own);
  fold(own);
}

bool claim(ThreadSlot* slot, uint32_t expected_tid, uint32_t tid) {
  return __atomic_compare_exchange_n(&slot->tid, &expected_tid, tid, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED);
}

void raise_high_water(uint32_t count) {
  uint32_t* high_water = &the_recording->header.thread_high_water;
  uint32_t seen = __atomic_load_n(high_water, __ATOMIC_RELAXED);
  while (seen < count && !__atomic_compare_exchange_n(high_water, &seen, count, true, __ATOMIC_RELAXED,
                                                      __ATOMIC_RELAXED)) {
  }
}

ThreadSlot* claim_free_slot(uint32_t tid) {
  for (uint32_t i = 0; i < kThreadCapacity; ++i) {
    ThreadSlot* slot = &the_recording->threads[i];
    if (__atomic_load_n(&slot->tid, __ATOMIC_RELAXED) != 0) continue;
    if constexpr (kAttachBuild) {
      if (is_stale(slot)) continue;
    }
    if (!claim(slot, 0, tid)) continue;
    return slot;
  }
  return nullptr;
}

/// A thread that ended without running destructors (a raw clone, a destructor that called pthread_exit)
/// left its slot taken. Looked for only when the table is full.
ThreadSlot* claim_abandoned_slot(uint32_t tid) {
  long pid = raw_syscall(SYS_getpid);
  constexpr long kNoSuchThread = -3;  // -ESRCH
  for (uint32_t i = 0; i < kThreadCapacity; ++i) {
    ThreadSlot* slot = &the_recording->threads[i];
    uint32_t owner = __atomic_load_n(&slot->tid, __ATOMIC_RELAXED);
    if (raw_syscall(SYS_tgkill, pid, owner, 0) != kNoSuchThread || !claim(slot, owner, tid)) continue;
    fold(slot);
    if (claim(slot, 0, tid)) return slot;
  }
  return nullptr;
}

uint32_t* map_canary() {
  long page =
      raw_syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (is_error(page)) return &no_canary;
  raw_syscall(SYS_madvise, page, 4096, MADV_WIPEONFORK);
  return reinterpret_cast<uint32_t*>(page);
}

/// What a slot has counted in arenas, whose indices mean nothing in another recording.
ArenaCell without_arenas(const ThreadSlot& slot) {
  ArenaCell sum = cell_of(slot.main);
  add(&sum, cell_of(slot.own));
  for (const ArenaCell& cell : slot.others) add(&sum, cell);
  add(&sum, slot.rest);
  return sum;
}

}  // namespace

void begin_slot(ThreadSlot* slot) {
  ++slot->generation;
  slot->own_segment = slot->own_segment_free = 1;
  draw_first(&slot->main);
  draw_first(&slot->own);
  thread_state.countdown = slot->main.countdown;
  raw_syscall(SYS_prctl, PR_GET_NAME, reinterpret_cast<long>(slot->name));
  publish_jemalloc_bytes(slot);
  raise_high_water(static_cast<uint32_t>(slot - the_recording->threads) + 1);
}

void leave_parents_recording() {
  if (!the_recording) return;
  if constexpr (kAttachBuild) forget_stale();
  // The parent's counters are shared memory: get off them at once. Nothing more happens until this
  // child's first slow path; most children exec before.
  raw_syscall(SYS_mmap, reinterpret_cast<long>(the_recording), sizeof(Recording),
              PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  thread_state.countdown = 0;  // the slot's are zero now; jemalloc goes by this one
  *fork_canary = 0;
  counting_privately = true;
}

ArenaCell totals_of(const ThreadSlot& slot) {
  if (the_recording->header.backend_kind == BackendKind::kJemalloc)
    return {slot.jemalloc_allocated_bytes, 0, slot.jemalloc_deallocated_bytes, 0};
  ArenaCell totals = without_arenas(slot);
  add(&totals, slot.mmapped);
  return totals;
}

void publish_jemalloc_bytes(ThreadSlot* slot) {
  if (!the_backend->thread_byte_counters) return;
  if (!slot->jemalloc_allocated_at) {
    uint64_t* allocated = nullptr;
    uint64_t* deallocated = nullptr;
    if (!the_backend->thread_byte_counters(&allocated, &deallocated)) return;
    slot->jemalloc_deallocated_at = reinterpret_cast<uint64_t>(deallocated);
    slot->jemalloc_allocated_at = reinterpret_cast<uint64_t>(allocated);
  }
  slot->jemalloc_allocated_bytes = *reinterpret_cast<uint64_t*>(slot->jemalloc_allocated_at);
  slot->jemalloc_deallocated_bytes = *reinterpret_cast<uint64_t*>(slot->jemalloc_deallocated_at);
}

/// What jemalloc's own words of this thread say too, from now on.
void take_back_slotless_frees(ThreadState& state) {
  add_relaxed(&the_recording->header.folded.out_bytes, -state.slotless_freed_bytes);
  add_relaxed(&the_recording->header.folded.out_count, -uint64_t{state.slotless_free_count});
  state.slotless_freed_bytes = 0;
}

ThreadSlot* acquire_slot() {
  ThreadState& state = thread_state;
  if (state.leaving) return nullptr;
  ErrnoKeeper errno_keeper;
  auto tid = static_cast<uint32_t>(raw_syscall(SYS_gettid));
  ThreadSlot* slot = claim_free_slot(tid);
  if (!slot) slot = claim_abandoned_slot(tid);
  if (!slot) {
    add_relaxed(&the_recording->header.losses.thread_full_count, uint64_t{1});
    state.leaving = true;  // counted in the shared cells from here on
    return nullptr;
  }
  begin_slot(slot);
  if (the_recording->header.backend_kind == BackendKind::kJemalloc) take_back_slotless_frees(state);
  state.slot = slot;
  state.free = free_of_threads;
  // May allocate (a key beyond the 32 that a thread has room for): the slot is in place already.
  bool was_inside = state.inside;
  state.inside = true;
  if (exit_key_valid) pthread_setspecific(exit_key, slot);
  state.inside = was_inside;
  return slot;
}

void register_handlers() {
  exit_key_valid = pthread_key_create(&exit_key, on_thread_exit) == 0;
  fork_canary = map_canary();
  *fork_canary = 1;
  pthread_atfork(nullptr, nullptr, leave_parents_recording);
}

bool reopen_after_fork() {
  if (__builtin_expect(*fork_canary != 0, 1)) return false;
  *fork_canary = 1;
  Recording* recording = the_recording;
  ThreadSlot* slot = thread_state.slot;
  // What this thread counted since the fork, if it did so in memory of its own.
  ThreadSlot counted = counting_privately && slot != &sentinel_slot ? *slot : ThreadSlot{};
  counting_privately = false;
  if (!replace_recording(recording)) return true;  // goes on in private memory: no reader, no harm
  recording->header.parent_pid = static_cast<uint32_t>(raw_syscall(SYS_getppid));
  start_sampler();
  thread_state.rng = Rng{};  // not the parent's draws again
  thread_state.slotless_freed_bytes = thread_state.slotless_free_count = 0;
  if (slot == &sentinel_slot) return true;
  slot->tid = static_cast<uint32_t>(raw_syscall(SYS_gettid));
  begin_slot(slot);
  slot->mmapped = counted.mmapped;
  slot->rest = without_arenas(counted);
  return true;
}

}  // namespace shim
