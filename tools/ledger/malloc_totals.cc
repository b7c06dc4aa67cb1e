// SPDX-License-Identifier: Apache-2.0
#include "ledger/malloc_totals.h"

#include <algorithm>

#include "base/units.h"

namespace offheap {
namespace {

constexpr Bytes kMmappedHeaderBytes = 16;

Bytes take(Bytes wanted, Bytes& left) {
  const Bytes taken = std::min(wanted, left);
  left -= taken;
  return taken;
}

/// Free bytes on pages that also hold live blocks, by the backend's own count at its last refresh.
Bytes counted_as_pinned(const recording::BackendStatistics& statistics) {
  return std::max(minus(statistics.active_bytes, statistics.allocated_bytes),
                  statistics.central_free_bytes);
}

void add_mmapped(const MmappedChunk& chunk, MallocTotals& totals) {
  const Bytes header = std::min(kMmappedHeaderBytes, chunk.rss_bytes);
  totals.resident.metadata_bytes += header;
  totals.resident.live_bytes += chunk.rss_bytes - header;
  totals.rss_bytes += chunk.rss_bytes;
  totals.obtained.metadata_bytes += std::min(kMmappedHeaderBytes, chunk.range.size());
  totals.obtained.live_bytes += chunk.range.size() - std::min(kMmappedHeaderBytes, chunk.range.size());
  totals.system_bytes += chunk.range.size();
}

}  // namespace

MallocTotals total_of_heap(const HeapReport& heap) {
  MallocTotals totals;
  for (const ArenaReport& arena : heap.arenas) {
    totals.resident.live_bytes += arena.resident.live_bytes;
    totals.resident.cached_bytes += arena.resident.cached_bytes;
    totals.resident.trimmable_bytes += arena.resident.trimmable_bytes;
    totals.resident.pinned_bytes += arena.resident.pinned_bytes;
    totals.resident.top_bytes += arena.resident.top_bytes;
    totals.resident.metadata_bytes += arena.resident.metadata_bytes;
    totals.obtained.live_bytes += arena.obtained.live_bytes;
    totals.obtained.cached_bytes += arena.obtained.cached_bytes;
    totals.obtained.free_bytes += arena.obtained.free_bytes;
    totals.obtained.metadata_bytes += arena.obtained.metadata_bytes;
    totals.rss_bytes += arena.rss_bytes;
    totals.system_bytes += arena.system_bytes;
  }
  for (const MmappedChunk& chunk : heap.mmapped) add_mmapped(chunk, totals);
  return totals;
}

MallocTotals total_of_backend(const recording::BackendStatistics& statistics, const BackendNow& now) {
  MallocTotals totals;
  Bytes left = now.rss_bytes;
  totals.rss_bytes = now.rss_bytes;
  // Free pages and caches were touched once; of live bytes some may never have been; metadata is told
  // as mapped, mostly untouched, so it comes last.
  totals.resident.trimmable_bytes = take(statistics.page_free_bytes, left);
  totals.resident.cached_bytes = take(statistics.cached_bytes, left);
  totals.resident.live_bytes = take(now.live_bytes, left);
  totals.resident.metadata_bytes = take(statistics.metadata_bytes, left);
  const Bytes most_slabs = now.rss_bytes / kLargestSlabBytes + 1;
  const Bytes pinned = take(std::min(now.most_live_count, most_slabs) * kLargestSlabBytes, left);
  totals.resident.pinned_bytes = pinned;
  totals.resident.trimmable_bytes += left;
  totals.open_bytes = std::min(now.freed_since_bytes, minus(pinned, counted_as_pinned(statistics)));
  totals.obtained.live_bytes = now.live_bytes;
  totals.obtained.cached_bytes = statistics.cached_bytes;
  totals.obtained.metadata_bytes = statistics.metadata_bytes;
  const Bytes used = now.live_bytes + statistics.cached_bytes + statistics.metadata_bytes;
  totals.system_bytes = std::max(statistics.mapped_bytes, used);
  totals.obtained.free_bytes = totals.system_bytes - used;
  return totals;
}

}  // namespace offheap
