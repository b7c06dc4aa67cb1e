// SPDX-License-Identifier: Apache-2.0
//
// The hot path: what is counted at each allocation and free, one policy a kind of backend. Read
// README.md, "The hot path", first; bench/instructions.py measures it.
//
// A policy says where the byte counts come from (the quick_ ones inline, where is_quick_ says so):
//   glibc      chunk bytes, from the word before the block; main arena, own arena and mmapped apart
//   jemalloc   its own per-thread counters; blocks are not counted, and the countdown is charged with
//              the requested bytes, before the call
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

// -fvisibility speaks of definitions only; said here, an extern is reached without the GOT.
#pragma GCC visibility push(hidden)
namespace shim {

using recording::HotCell;

/// The chosen backend's table, by value: one load less than through a pointer.
extern backends::Backend active_backend;

inline constexpr uint64_t kChunkMmapped = 2;  // IS_MMAPPED, glibc malloc/malloc.c
inline constexpr uint64_t kChunkNonMain = 4;  // NON_MAIN_ARENA
inline constexpr uint64_t kChunkFlags = 7;
inline constexpr uint64_t kSegmentMask = ~((uint64_t{64} << 20) - 1);

inline uint64_t chunk_header(const void* block) { return static_cast<const uint64_t*>(block)[-1]; }

inline uint64_t segment_of(const void* block) {
  return reinterpret_cast<uint64_t>(block) & kSegmentMask;
}

/// Not in the main arena.
inline bool is_elsewhere(const void* block) {
  return chunk_header(block) & (kChunkNonMain | kChunkMmapped);
}

/// A chunk's size in words of 8 bytes; whether it is in a secondary arena falls out of the shift.
inline uint64_t chunk_words(const void* block, bool* non_main) {
  uint64_t words = chunk_header(block);
  bool carry;
  asm("shrq $3, %0" : "+r"(words), "=@ccc"(carry));
  *non_main = carry;
  return words;
}

struct GlibcPolicy {
  static constexpr bool kHasCells = true;
  static constexpr bool kCountsFreedBytes = true;
  static constexpr bool kCountsBlocks = true;
  static constexpr bool kChargesRequested = false;
  static constexpr uint64_t kFreedUnit = recording::kChunkWordBytes;

  static void* malloc(size_t size) { return __libc_malloc(size); }
  static void free(void* block) { __libc_free(block); }
  static bool is_quick_in(size_t) { return true; }
  static bool is_quick_out(const void*) { return true; }
  static uint64_t quick_bytes_in(const void* block, size_t) { return bytes_out(block); }
  static uint64_t bytes_in(const void* block, size_t) { return bytes_out(block); }
  static uint64_t bytes_out(const void* block) { return chunk_header(block) & ~kChunkFlags; }
};

struct JemallocPolicy {
  static constexpr bool kHasCells = false;
  static constexpr bool kCountsFreedBytes = false;
  static constexpr bool kCountsBlocks = false;
  static constexpr bool kChargesRequested = true;
  static constexpr uint64_t kFreedUnit = 1;

  static void* malloc(size_t size) { return active_backend.malloc(size); }
  static void free(void* block) { active_backend.free(block); }
  static bool is_quick_in(size_t) { return true; }
  static uint64_t quick_bytes_in(const void*, size_t requested) { return requested; }
  static uint64_t bytes_in(const void*, size_t requested) { return requested; }
  static uint64_t bytes_out(const void*) { return 0; }
};

/// Usable bytes of small requests, in steps of eight bytes; filled once for tcmalloc.
inline constexpr size_t kClassTableLimit = 32 * 1024;
extern uint16_t class_table[kClassTableLimit / 8 + 1];
void fill_class_table();

/// Asking tcmalloc for a block's size costs 38 instructions, so the shim remembers it by page: a page
/// belongs to one span, and a span to one size class for as long as it holds a live block, so what was
/// entered when any block that starts in a page was allocated holds for all live blocks that do.
/// Indexed by the low half of the address; the high half is kept beside the size to tell pages that
/// share an entry apart, and then tcmalloc is asked. Pages of 4 KiB divide every page size of tcmalloc.
/// Source: gperftools src/span.h (sizeclass), src/tcmalloc.cc do_free.
extern uint64_t page_sizes[1u << 20];

inline uint64_t* page_size_of(const void* block) {
  return &page_sizes[static_cast<uint32_t>(reinterpret_cast<uintptr_t>(block)) >> 12];
}

struct TcmallocPolicy {
  static constexpr bool kHasCells = false;
  static constexpr bool kCountsFreedBytes = true;
  static constexpr bool kCountsBlocks = true;
  static constexpr bool kChargesRequested = false;
  static constexpr uint64_t kFreedUnit = 1;

  static void* malloc(size_t size) { return active_backend.malloc(size); }
  static void free(void* block) { active_backend.free(block); }

  static bool is_quick_in(size_t requested) { return requested < kClassTableLimit; }
  static bool is_quick_out(const void* block) {
    return (*page_size_of(block) ^ reinterpret_cast<uintptr_t>(block)) >> 32 == 0;
  }
  static uint64_t quick_bytes_in(const void* block, size_t requested) {
    return remember(block, class_table[(requested + 7) >> 3]);
  }
  static uint64_t quick_bytes_out(const void* block) {
    return static_cast<uint32_t>(*page_size_of(block));
  }
  static uint64_t bytes_in(void* block, size_t) {
    return remember(block, active_backend.usable_size(block));
  }
  static uint64_t bytes_out(void* block) {
    return is_quick_out(block) ? quick_bytes_out(block) : active_backend.usable_size(block);
  }

 private:
  /// Another thread that frees this block got its address from us, so it sees this entry too. Written
  /// only where it changes: threads that allocate from neighbouring pages would else take the cache
  /// line from each other at every call.
  static uint64_t remember(const void* block, uint64_t bytes) {
    uintptr_t high = reinterpret_cast<uintptr_t>(block) >> 32 << 32;
    uint64_t entry = SHIM_LIKELY(bytes <= UINT32_MAX) ? high | bytes : 0;
    uint64_t* kept = page_size_of(block);
    if (SHIM_UNLIKELY(*kept != entry)) *kept = entry;
    return bytes;
  }
};

struct ForeignPolicy {
  static constexpr bool kHasCells = false;
  static constexpr bool kCountsFreedBytes = true;
  static constexpr bool kCountsBlocks = true;
  static constexpr bool kChargesRequested = false;
  static constexpr uint64_t kFreedUnit = 1;

  static void* malloc(size_t size) { return active_backend.malloc(size); }
  static void free(void* block) { active_backend.free(block); }
  static bool is_quick_in(size_t) { return true; }
  static bool is_quick_out(const void*) { return true; }
  static uint64_t quick_bytes_in(void* block, size_t) { return active_backend.usable_size(block); }
  static uint64_t quick_bytes_out(void* block) { return active_backend.usable_size(block); }
  static uint64_t bytes_in(void* block, size_t) { return active_backend.usable_size(block); }
  static uint64_t bytes_out(void* block) { return active_backend.usable_size(block); }
};

// --- slow halves, in counting.cc; each completes the event it was called for ---------------------

/// Counts an allocation whose thread has no slot, or whose glibc segment is not the last seen, or both.
/// Samples it when the countdown runs out. Returns `block`.
template <typename Policy>
SHIM_SLOW void* count_in_slow(void* block, size_t requested, uint64_t bytes);

/// `cell`'s countdown (the sentinel's always) is below zero, `bytes` of it for `block`.
template <typename Policy>
SHIM_SLOW void* countdown_slow(void* block, size_t requested, uint64_t bytes, HotCell* cell);

/// An allocation whose bytes must be asked for.
template <typename Policy>
SHIM_SLOW void* malloc_slow(size_t size);

/// An allocation that took the countdown below zero before the block was there.
template <typename Policy>
SHIM_SLOW void* charged_malloc_slow(size_t size);

/// Counts a free and frees: a null or early pointer, a sample, a thread without a slot, another
/// segment, an mmapped block.
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
  uint64_t usable_bytes;  ///< only where neither the policy counts freed bytes nor the thread's slot
};

template <typename Policy>
BlockFigures figures_of(void* block) {
  bool asks = !Policy::kCountsFreedBytes && thread_state.slot == &sentinel_slot;
  return {Policy::kHasCells ? place_of_chunk(block) : Place{recording::kMainArena, 0},
          Policy::bytes_out(block), asks ? active_backend.stateless_usable_size(block) : 0};
}

/// Counts a free, but leaves freeing to the caller.
template <typename Policy>
void count_out(const BlockFigures& block);

/// Mmapped blocks are tagged like samples, so that free need not ask for their flag. Not in the attach
/// build: blocks that are older than the attach have no tag.
inline bool is_tagged(const Place& place) {
  return !kAttachBuild && place.arena == recording::kMmappedChunks;
}

// --- the hot halves ------------------------------------------------------------------------------

template <typename Policy>
SHIM_HOT int64_t* countdown_of(HotCell* cell) {
  return Policy::kChargesRequested ? &thread_state.countdown : &cell->countdown;
}

/// Counts a new block; returns it.
template <typename Policy>
SHIM_HOT void* count_in(void* block, size_t requested, uint64_t bytes) {
  ThreadSlot* slot = thread_state.slot;
  HotCell* cell = &slot->main;
  if constexpr (Policy::kHasCells) {
    if (SHIM_UNLIKELY(is_elsewhere(block))) {
      if (SHIM_UNLIKELY(segment_of(block) != slot->own_segment))
        return count_in_slow<Policy>(block, requested, bytes);
      cell = &slot->own;
    }
  }
  if constexpr (Policy::kCountsBlocks) cell->allocated_count += 1;
  int64_t* countdown = countdown_of<Policy>(cell);
  *countdown -= static_cast<int64_t>(bytes);
  if (SHIM_UNLIKELY(*countdown < 0)) return countdown_slow<Policy>(block, requested, bytes, cell);
  return block;
}

/// glibc's is in glibc_malloc.cc.
template <typename Policy>
SHIM_HOT void* counted_malloc(size_t size) {
  if constexpr (Policy::kChargesRequested) {
    // The countdown is no counter here, so it may be charged before the call, and nothing is left to do
    // after it.
    thread_state.countdown -= static_cast<int64_t>(size);
    if (SHIM_UNLIKELY(thread_state.countdown < 0)) return charged_malloc_slow<Policy>(size);
    return Policy::malloc(size);
  }
  if (SHIM_UNLIKELY(!Policy::is_quick_in(size))) return malloc_slow<Policy>(size);
  void* block = Policy::malloc(size);
  if (SHIM_UNLIKELY(!block)) return nullptr;
  return count_in<Policy>(block, size, Policy::quick_bytes_in(block, size));
}

template <typename Policy>
SHIM_HOT void free_into(HotCell* cell, void* block, uint64_t freed) {
  cell->freed_count += 1;
  cell->freed += freed;
  // The sentinel, or a slot of an earlier recording, see attach/renewal.cc.
  if (kAttachBuild && SHIM_UNLIKELY(static_cast<int64_t>(cell->freed) < 0))
    return free_slow<Policy>(block);
  Policy::free(block);
}

/// A free of what is no sample, by a thread that has `slot`. Every branch away is a tail call that
/// starts the event anew, so nothing needs saving across it.
template <typename Policy>
SHIM_HOT void counted_free(void* block, ThreadSlot* slot) {
  if constexpr (Policy::kHasCells) {
    // Blocks that are older than an attach have no tag, so there the flag of mmapped ones is asked too.
    if (kAttachBuild && SHIM_LIKELY(!is_elsewhere(block)))
      return free_into<Policy>(&slot->main, block, chunk_header(block) / Policy::kFreedUnit);
    bool non_main;
    uint64_t words = chunk_words(block, &non_main);
    if (!kAttachBuild && SHIM_LIKELY(!non_main)) return free_into<Policy>(&slot->main, block, words);
    if (SHIM_UNLIKELY(segment_of(block) != slot->own_segment_free)) return free_slow<Policy>(block);
    return free_into<Policy>(&slot->own, block, words);
  } else {
    if (SHIM_UNLIKELY(!Policy::is_quick_out(block))) return free_slow<Policy>(block);
    free_into<Policy>(&slot->main, block, Policy::quick_bytes_out(block));
  }
}

/// free as the attach build puts it into a program's slots, one a policy, so that nothing is left to
/// choose; the sentinel's count of freed bytes sends threads without a slot the slow way.
template <typename Policy>
void free_of_attached(void* block) {
  if (SHIM_UNLIKELY(tag_is_near_sample(block))) return free_slow<Policy>(block);
  counted_free<Policy>(block, thread_state.slot);
}

}  // namespace shim

extern "C" void* shim_glibc_malloc(size_t size);
#pragma GCC visibility pop
