// SPDX-License-Identifier: Apache-2.0
//
// Where the main arena's chunks lie. Usually in one piece, from the first sbrk to the end of the top;
// where the program break was blocked, malloc went on in mappings that nothing lists, and these pieces
// are recognised by what they are: chunks end to end from a page's start to two fenceposts or to the
// top.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "glibc_heap/locate.h"

namespace offheap {

/// A stretch of chunks that lie end to end: a piece of the main arena, or a heap segment's used part.
struct HeapSegment {
  Range pages;  ///< whole pages
  Address first_chunk = 0;
  Address end = 0;       ///< of the last chunk; of the heap segment
  bool hugetlb = false;  ///< in the hugetlb pool: malloc_trim lowers no RSS there
};

/// Whether `mapping` is anonymous memory from the hugetlb pool (MAP_HUGETLB).
inline bool is_hugetlb(const Mapping& mapping) { return mapping.path == "/anon_hugepage"; }

/// Whether `address` lies in such a mapping.
inline bool lies_in_hugetlb(std::span<const Mapping> mappings, Address address) {
  return std::any_of(mappings.begin(), mappings.end(), [address](const Mapping& mapping) {
    return is_hugetlb(mapping) && mapping.range.contains(address);
  });
}

/// What an arena may span, in bytes: the list of its pages takes 8 bytes each, and a target can forge
/// sizes and map addresses without memory behind them.
Bytes most_arena_bytes(std::span<const Mapping> mappings);

/// Pieces in address order; empty when the arena makes no sense. A piece of which no free chunk is left
/// may be missing in a process with much other memory: then the pieces' sum is below system_mem.
///
/// Source: glibc 2.17-2.43 malloc/malloc.c, sysmalloc() (MMAP_AS_MORECORE_SIZE, fenceposts).
std::vector<HeapSegment> find_main_pieces(const MemoryReader& memory, const MallocLocation& location,
                                          std::span<const Mapping> mappings, Address top);

}  // namespace offheap
