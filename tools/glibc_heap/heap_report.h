// SPDX-License-Identifier: Apache-2.0
//
// What the arena reader says of a glibc heap. Plain data; glibc_heap.h produces it, the ledger, the
// verdict and the renderer consume it.
//
// Two identities, both exact for a consistent read:
//   obtained: live + cached + free + metadata = system_bytes            (what malloc obtained)
//   resident: live + cached + trimmable + pinned + top + metadata = rss (what the container pays)
// A block that was handed out but never touched is live in the first and absent from the second.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/units.h"

namespace offheap {

/// Resident bytes by what they hold; sums to the arena's resident bytes.
struct ResidentParts {
  Bytes live_bytes = 0;       ///< usable bytes of blocks in use
  Bytes cached_bytes = 0;     ///< usable bytes of blocks in a tcache
  Bytes trimmable_bytes = 0;  ///< free, what malloc_trim(0) would give back
  Bytes pinned_bytes = 0;     ///< free, on pages that also hold live or cached blocks or headers
  Bytes top_bytes = 0;       ///< a top chunk that malloc_trim keeps: of every secondary arena, and of a
                             ///< main arena whose top is not at the program break
  Bytes metadata_bytes = 0;  ///< chunk headers, malloc_state, heap_info, tcache structs, alignment
  [[nodiscard]] Bytes sum() const {
    return live_bytes + cached_bytes + trimmable_bytes + pinned_bytes + top_bytes + metadata_bytes;
  }
};

/// What malloc obtained, by use; sums to system_bytes. free_bytes equals mallinfo2's fordblks share.
struct ObtainedParts {
  Bytes live_bytes = 0;
  Bytes cached_bytes = 0;
  Bytes free_bytes = 0;  ///< bins, fastbins and top, whole chunks
  Bytes metadata_bytes = 0;
};

/// Neighbouring blocks that keep a long free run from being given back by free() itself, which shrinks
/// the arena from its top only: they stand between the run and the top, or between two such runs.
struct PinningBlock {
  Address address = 0;            ///< user address of the first, the lowest
  Bytes usable_bytes = 0;         ///< of all
  Bytes freed_if_gone_bytes = 0;  ///< resident free bytes below them (and the top's) that would leave
  std::uint64_t block_count = 0;  ///< 1: a single block holds it all
  bool cached = false;            ///< none of them is live: tcaches hold them
};

struct ArenaReport {
  std::uint32_t index = 0;  ///< 0 = main arena; then ring order
  Address address = 0;      ///< its malloc_state
  Bytes system_bytes = 0;   ///< malloc_state.system_mem
  Bytes rss_bytes = 0;      ///< resident bytes of its segments; equals resident.sum()
  ResidentParts resident;
  ObtainedParts obtained;
  std::uint64_t live_block_count = 0;
  std::uint64_t cached_block_count = 0;
  std::uint64_t free_chunk_count = 0;
  std::uint64_t attached_threads = 0;
  std::vector<std::uint32_t> threads;  ///< tids whose own arena this is, ascending
  std::vector<Range> segments;  ///< whole pages; [heap], or the accessible part of each heap segment
  Bytes walked_bytes = 0;       ///< sum of segments; below system_bytes when a piece was not found
  Bytes hugetlb_bytes = 0;  ///< of rss_bytes: in the hugetlb pool, which the kernel's RSS leaves out
  Bytes swapped_bytes = 0;  ///< in swap: not resident and not read, so that chunks there are unknown
  Bytes foreign_bytes = 0;  ///< of metadata: not malloc's, but somebody else's sbrk amid its chunks
  std::vector<PinningBlock> pinning;  ///< the few that hold the most, largest first
  bool consistent = true;             ///< bins and the linear walk agreed
  std::uint32_t stop_count = 0;       ///< stops that its copy took; 0 without any
  std::uint64_t pause_ns = 0;         ///< their sum
};

/// A block with a mapping of its own (IS_MMAPPED), found by its header.
struct MmappedChunk {
  Range range;  ///< whole pages
  Bytes rss_bytes = 0;
};

struct HeapCheck {
  std::string name;  ///< "main arena free: bins = walk", "mmapped chunks = mp_.mmapped_mem"
  bool ok = false;
};

struct HeapReport {
  bool found = false;  ///< false: no main_arena in this process (another allocator, static, musl)
  std::string libc_path;
  std::uint32_t layout = 0;  ///< bins - main_arena: 104, 112 or 24
  std::vector<ArenaReport> arenas;
  std::vector<MmappedChunk> mmapped;
  Bytes mmapped_bytes = 0;  ///< sum of mmapped[].range sizes
  Bytes mmapped_rss_bytes = 0;
  Bytes swapped_bytes = 0;  ///< of the arenas
  Bytes hugetlb_bytes = 0;  ///< of all: resident in the hugetlb pool, which the kernel's RSS leaves out
  /// Live blocks by chunk size: exact totals that correct sampled estimates. Key: chunk bytes for
  /// chunks below 64 KiB; larger ones are summed under the next power of two of their size.
  struct ClassTotal {
    std::uint64_t block_count = 0;
    Bytes usable_bytes = 0;
  };
  std::map<Bytes, ClassTotal> live_by_class;
  bool estimate = false;       ///< --no-pause: bins were not trusted; figures are about +-10 %
  std::uint64_t pause_ns = 0;  ///< longest single stop of any thread
  std::uint64_t total_pause_ns = 0;
  std::uint32_t retries = 0;
  std::vector<HeapCheck> checks;
};

}  // namespace offheap
