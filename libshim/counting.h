// SPDX-License-Identifier: Apache-2.0
//
// The hot path: what is counted at each allocation and free, one policy a kind of backend. Read
// README.md, "The hot path", first; bench/instructions.py measures it.
//
// A policy says where the byte counts come from:
//   glibc      chunk bytes, from the word before the block; main arena, own arena and mmapped apart
//   jemalloc   its own per-thread counters; the countdown is charged with the requested bytes
//   tcmalloc   a table of class sizes at allocation, its usable size at free
//   foreign    malloc_usable_size on both sides
//
// Every counter has one writer, so it is bumped by a plain add: what a reader sees may be one operation
// old, and two counters read together need not be of the same instant. They agree at rest.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "libshim/recorder.h"
#include "libshim/sampling/tags.h"

#define SHIM_SLOW [[gnu::noinline, gnu::cold]]
#define SHIM_HOT [[gnu::always_inline]] inline
#define SHIM_LIKELY(x) __builtin_expect(!!(x), 1)
#define SHIM_UNLIKELY(x) __builtin_expect(!!(x), 0)

extern "C" {
// glibc's own, under the names that interposition leaves alone: no dlsym, so no start-up recursion.
// Source: glibc malloc/malloc.c, GLIBC_2.2.5 in every x86-64 libc.so.6.
void* __libc_malloc(size_t);
void __libc_free(void*);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
}

namespace shim {

/// The chosen backend's table, by value: one load less than through a pointer.
extern backends::Backend active_backend;

inline constexpr uint64_t kChunkMmapped = 2;  // IS_MMAPPED, glibc malloc/malloc.c
inline constexpr uint64_t kChunkNonMain = 4;  // NON_MAIN_ARENA
inline constexpr uint64_t kChunkFlags = 7;
inline constexpr uint64_t kSegmentMask = ~((uint64_t{64} << 20) - 1);

inline uint64_t chunk_header(const void* block) { return static_cast<const uint64_t*>(block)[-1]; }

struct GlibcPolicy {
  static constexpr bool kHasCells = true;
  static constexpr bool kCountsFreedBytes = true;

  static void* malloc(size_t size) { return __libc_malloc(size); }
  static void free(void* block) { __libc_free(block); }
  static uint64_t bytes_in(const void* block, size_t) { return chunk_header(block) & ~kChunkFlags; }
  static uint64_t bytes_out(const void* block) { return chunk_header(block) & ~kChunkFlags; }
  static uint64_t bytes_in_exact(const void* block, size_t) { return bytes_out(block); }
};

struct JemallocPolicy {
  static constexpr bool kHasCells = false;
  static constexpr bool kCountsFreedBytes = false;

  static void* malloc(size_t size) { return active_backend.malloc(size); }
  static void free(void* block) { active_backend.free(block); }
  static uint64_t bytes_in(const void*, size_t requested) { return requested; }
  static uint64_t bytes_out(const void*) { return 0; }
  static uint64_t bytes_in_exact(const void*, size_t requested) { return requested; }
};

/// Usable bytes of small requests, in steps of eight bytes; filled once for tcmalloc.
inline constexpr size_t kClassTableLimit = 32 * 1024;
extern uint16_t class_table[kClassTableLimit / 8 + 1];
void fill_class_table();

struct TcmallocPolicy {
  static constexpr bool kHasCells = false;
  static constexpr bool kCountsFreedBytes = true;

  static void* malloc(size_t size) { return active_backend.malloc(size); }
  static void free(void* block) { active_backend.free(block); }
  static uint64_t bytes_in(void* block, size_t requested) {
    if (SHIM_LIKELY(requested < kClassTableLimit)) return class_table[(requested + 7) >> 3];
    return active_backend.usable_size(block);
  }
  static uint64_t bytes_out(void* block) { return active_backend.usable_size(block); }
  static uint64_t bytes_in_exact(void* block, size_t) { return active_backend.usable_size(block); }
};

struct ForeignPolicy {
  static constexpr bool kHasCells = false;
  static constexpr bool kCountsFreedBytes = true;

  static void* malloc(size_t size) { return active_backend.malloc(size); }
  static void free(void* block) { active_backend.free(block); }
  static uint64_t bytes_in(void* block, size_t) { return active_backend.usable_size(block); }
  static uint64_t bytes_out(void* block) { return active_backend.usable_size(block); }
  static uint64_t bytes_in_exact(void* block, size_t) { return active_backend.usable_size(block); }
};

// --- slow halves, in counting.cc; each completes the event it was called for ---------------------

/// Counts an allocation whose thread has no slot, or whose glibc segment is not the last seen, or both.
/// Samples it when the countdown runs out. Returns `block`.
template <typename Policy>
SHIM_SLOW void* count_in_slow(void* block, size_t requested, uint64_t bytes);

/// The countdown of the thread's slot (the sentinel's always) is below zero, `bytes` of it for `block`.
template <typename Policy>
SHIM_SLOW void* countdown_slow(void* block, size_t requested, uint64_t bytes);

/// Counts a free and frees: a null or early pointer, a sample, a thread without a slot, another
/// segment.
template <typename Policy>
SHIM_SLOW void free_slow(void* block);

/// Where a block lies: its Arena index and, in a secondary arena, its heap segment.
struct Place {
  uint32_t arena;
  uint64_t segment;
};
Place place_of_chunk(const void* block);

/// What counting a free needs to know of a block. Read while the block is there: by the time a realloc
/// has succeeded, its segment may be unmapped.
struct BlockFigures {
  Place place;            ///< glibc only, else the main arena
  uint64_t bytes;         ///< as Policy::bytes_out
  uint64_t usable_bytes;  ///< only where the policy does not count freed bytes itself
};

template <typename Policy>
BlockFigures figures_of(void* block) {
  return {Policy::kHasCells ? place_of_chunk(block) : Place{recording::kMainArena, 0},
          Policy::bytes_out(block), Policy::kCountsFreedBytes ? 0 : active_backend.usable_size(block)};
}

/// Counts a free, but leaves freeing to the caller.
template <typename Policy>
void count_out(const BlockFigures& block);

// --- the hot halves ------------------------------------------------------------------------------

/// Counts a new block; returns it.
template <typename Policy>
SHIM_HOT void* count_in(void* block, size_t requested, uint64_t bytes) {
  ThreadSlot* slot = thread_state.slot;
  if constexpr (Policy::kHasCells) {
    if (SHIM_UNLIKELY(chunk_header(block) & (kChunkNonMain | kChunkMmapped))) {
      if (SHIM_UNLIKELY((reinterpret_cast<uint64_t>(block) & kSegmentMask) != slot->own_segment))
        return count_in_slow<Policy>(block, requested, bytes);
      slot->own.in_bytes += bytes;
      slot->own.in_count += 1;
    }
  }
  slot->allocated_count += 1;
  slot->countdown -= static_cast<int64_t>(bytes);
  if (SHIM_UNLIKELY(slot->countdown < 0)) return countdown_slow<Policy>(block, requested, bytes);
  return block;
}

template <typename Policy>
SHIM_HOT void* counted_malloc(size_t size) {
  void* block = Policy::malloc(size);
  if (SHIM_UNLIKELY(!block)) return nullptr;
  return count_in<Policy>(block, size, Policy::bytes_in(block, size));
}

/// Every branch away is a tail call that starts the event anew, so nothing needs saving across it.
template <typename Policy>
SHIM_HOT void counted_free(void* block) {
  if (SHIM_UNLIKELY(tag_may_be_sample(block))) return free_slow<Policy>(block);
  ThreadSlot* slot = thread_state.slot;
  uint64_t bytes = Policy::bytes_out(block);
  if constexpr (Policy::kHasCells) {
    if (SHIM_UNLIKELY(chunk_header(block) & (kChunkNonMain | kChunkMmapped))) {
      if (SHIM_UNLIKELY((reinterpret_cast<uint64_t>(block) & kSegmentMask) != slot->own_segment_free))
        return free_slow<Policy>(block);
      slot->own.out_bytes += bytes;
      slot->own.out_count += 1;
    }
  }
  if constexpr (Policy::kCountsFreedBytes) {
    slot->freed_count += 1;
    slot->freed_bytes += bytes;
    if (SHIM_UNLIKELY(static_cast<int64_t>(slot->freed_bytes) < 0)) return free_slow<Policy>(block);
  } else {
    slot->freed_count += 1;
    if (SHIM_UNLIKELY(static_cast<int64_t>(slot->freed_count) < 0)) return free_slow<Policy>(block);
  }
  Policy::free(block);
}

}  // namespace shim
