// SPDX-License-Identifier: Apache-2.0
//
// The structures of glibc malloc as data: offsets by generation, x86_64. Which generation a process has
// is read off its memory (locate.h), never off a version string: distributions patch. Source:
// glibc 2.17-2.43 malloc/malloc.c (malloc_state, malloc_par, malloc_chunk), malloc/arena.c (heap_info).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/units.h"

namespace offheap {

/// Offsets in bytes from the start of a malloc_state.
struct MallocLayout {
  Bytes bins = 0;  ///< identifies the generation: 104, 112 or 24
  Bytes top = 0;
  Bytes fastbins = 0;  ///< fastbinsY[10]; 0 = the generation has none
  Bytes next = 0;
  Bytes attached = 0;  ///< 0 = before attached_threads existed
  Bytes system_mem = 0;
  Bytes state_bytes = 0;  ///< sizeof(malloc_state)
};

/// heap_info of malloc/arena.c: ar_ptr, prev, size, ... the same in all generations.
struct HeapInfo {
  Address arena, previous;
  Bytes size;
};

/// Every generation that is known, oldest first.
inline constexpr std::array<MallocLayout, 4> kMallocLayouts{{
    {104, 88, 8, 2152, 0, 2168, 2184},      // 2.17-2.22
    {104, 88, 8, 2152, 2168, 2176, 2192},   // 2.23-2.26
    {112, 96, 16, 2160, 2176, 2184, 2200},  // 2.27-2.42
    {24, 8, 0, 2072, 2088, 2096, 2112},     // 2.43-
}};

inline constexpr std::size_t kBinCount = 127;  // NBINS - 1; bin 0 does not exist
inline constexpr Bytes kBinsBytes = kBinCount * 2 * sizeof(Address);
inline constexpr std::size_t kFastbinCount = 10;  // NFASTBINS

// malloc_chunk: prev_size, size, then fd and bk where the block's own bytes are when it is in use.
inline constexpr Bytes kSizeOffset = 8;
inline constexpr Bytes kForwardOffset = 16;  // also: the user's address
inline constexpr Bytes kBackwardOffset = 24;
inline constexpr Bytes kHeaderBytes = 8;     // what a block in use costs over its usable bytes
inline constexpr Bytes kMinChunkBytes = 32;  // MINSIZE
inline constexpr Bytes kFencepostBytes = 16;
inline constexpr Bytes kChunkAlign = 16;        // MALLOC_ALIGNMENT
inline constexpr Bytes kChunkStructBytes = 48;  // sizeof(malloc_chunk)

inline constexpr std::uint64_t kPreviousInUse = 1;
inline constexpr std::uint64_t kIsMmapped = 2;
inline constexpr std::uint64_t kSizeFlags = 7;

constexpr Bytes chunk_bytes(std::uint64_t size_word) { return size_word & ~kSizeFlags; }
constexpr Address align_up(Address value, Bytes unit) { return (value + unit - 1) / unit * unit; }
constexpr Address align_down(Address value, Bytes unit) { return value / unit * unit; }

/// What malloc_trim releases of the free chunk [begin, end): whole pages behind the chunk's own fields.
/// Source: mtrim() in malloc/malloc.c, the same from 2.17 to 2.43.
inline Range trimmed_by_madvise(Range free_run) {
  const Address first = align_up(free_run.begin + kChunkStructBytes, kPageBytes);
  if (free_run.size() <= kPageBytes - 1 + kChunkStructBytes || first >= free_run.end)
    return {first, first};
  return {first, first + align_down(free_run.end - first, kPageBytes)};
}

/// What malloc_trim(0) takes off the main arena's top, in multiples of `unit`. Source: systrim() in
/// malloc/malloc.c.
inline Range trimmed_off_top(Range top, Bytes unit) {
  if (top.size() <= kMinChunkBytes + 1) return {top.end, top.end};
  return {top.end - align_down(top.size() - kMinChunkBytes - 1, unit), top.end};
}

}  // namespace offheap
