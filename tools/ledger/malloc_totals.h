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
  /// Of the pinned bytes: freed after the backend last refreshed its statistics, so that whether they
  /// lie in whole free pages is not known. Always 0 for a heap that was read.
  Bytes open_bytes = 0;
};

/// Sums a glibc heap. A block with its own mapping is live; its header counts as metadata.
MallocTotals total_of_heap(const HeapReport& heap);

/// What is exact and of now, beside statistics that are as old as their last refresh.
struct BackendNow {
  Bytes rss_bytes = 0;                ///< resident in the backend's ranges
  Bytes live_bytes = 0;               ///< handed out and not freed
  std::uint64_t most_live_count = 0;  ///< in at most that many blocks
  Bytes freed_since_bytes = 0;        ///< freed after the last refresh
};

/// Fits a backend's statistics to its ranges' resident bytes: whole free pages (trimmable) and caches
/// as the backend says, live bytes and metadata as far as they are resident, and what is then left is
/// pinned. Each part is cut to what is left, since the statistics are of another time.
///
/// A program that only frees lets them grow old. Two bounds do not depend on them: live blocks pin at
/// most a slab each, so what is above that is trimmable; and of the rest, what is more than the backend
/// itself counted as free between live blocks can be what was freed since: that much is open.
MallocTotals total_of_backend(const recording::BackendStatistics& statistics, const BackendNow& now);

/// The most that one small block keeps from being given back: jemalloc's largest slabs are 7 pages,
/// tcmalloc's spans of small classes no larger.
inline constexpr Bytes kLargestSlabBytes = Bytes{28} << 10;

}  // namespace offheap
