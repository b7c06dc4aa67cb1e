// SPDX-License-Identifier: Apache-2.0
//
// The process's malloc as one line: all arenas and blocks with mappings of their own added up, or, for
// jemalloc and tcmalloc, the backend's own statistics fitted to what is resident.
#pragma once

#include "glibc_heap/heap_report.h"
#include "libshim/recording_layout.h"

namespace offheap {

struct MallocTotals {
  ResidentParts resident;  ///< sums to rss_bytes
  ObtainedParts obtained;  ///< sums to system_bytes
  Bytes rss_bytes = 0;
  Bytes system_bytes = 0;
};

/// Sums a glibc heap. A block with its own mapping is live; its header counts as metadata.
MallocTotals total_of_heap(const HeapReport& heap);

/// Fits a backend's statistics to `rss_bytes`, its ranges' resident bytes: whole free pages (trimmable)
/// and caches as the backend says, live bytes and metadata as far as they are resident, and what is
/// then left is pinned. Statistics are up to a second old, so each part is cut to what is left.
///
/// While the program only frees, the statistics grow older still. So one bound is kept that does not
/// depend on them: `live_count` blocks, exact and of now, pin at most a slab each. What is above that
/// is trimmable.
MallocTotals total_of_backend(const recording::BackendStatistics& statistics, Bytes rss_bytes,
                              std::uint64_t live_count);

/// The most that one small block keeps from being given back: jemalloc's largest slabs are 7 pages,
/// tcmalloc's spans of small classes no larger.
inline constexpr Bytes kLargestSlabBytes = Bytes{28} << 10;

}  // namespace offheap
