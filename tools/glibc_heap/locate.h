// SPDX-License-Identifier: Apache-2.0
//
// Where glibc keeps its heaps in a process, found without symbols: main_arena is recognised by its 127
// empty or filled bins, the generation by the distance from those bins to the address that the ring of
// arenas names, malloc_par by the words around sbrk_base.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "glibc_heap/malloc_layout.h"
#include "procfs/mapping.h"
#include "procfs/memory_reader.h"

namespace offheap {

struct MallocLocation {
  MallocLayout layout;
  std::vector<Address> arenas;  ///< malloc_states, the main one first, then ring order
  Bytes heap_info_bytes = 0;    ///< sizeof(heap_info): 32 or 48; 0 without a secondary arena
  std::string libc_path;
  std::optional<Address> sbrk_base;
  Address mmapped_mem = 0;      ///< where malloc_par counts mmapped bytes; 0 = not found
  Bytes top_unit = kPageBytes;  ///< malloc_trim takes multiples of it off the main arena's top
  Bytes tcache_count = 0;       ///< blocks a tcache bin may hold; 0 = unknown
};

/// Nothing when no main_arena is found: another allocator, musl, or a process that never allocated.
std::optional<MallocLocation> locate_malloc(const MemoryReader& memory,
                                            std::span<const Mapping> mappings);

/// The heap segment that `address`, a chunk of the secondary arena at `arena`, lies in, at its full
/// HEAP_MAX_SIZE; empty when none is found. HEAP_MAX_SIZE is 64 MiB, or 4 huge pages with
/// glibc.malloc.hugetlb in 2.35-2.41.
Range heap_segment_of(const MemoryReader& memory, Address address, Address arena);

}  // namespace offheap
