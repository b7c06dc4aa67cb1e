// SPDX-License-Identifier: Apache-2.0
//
// Evidence by construction, for the verdict's tests.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "verdict/verdict.h"

namespace offheap {

inline constexpr Bytes kMi = Bytes{1} << 20;
inline constexpr std::uint64_t kSecond_ns = 1'000'000'000;

/// `count` points, 100 ms apart.
inline std::vector<TrendPoint> points_of(std::size_t count,
                                         const std::function<double(double)>& bytes_at) {
  std::vector<TrendPoint> points;
  for (std::size_t i = 0; i < count; ++i) {
    const double t = static_cast<double>(i) / 10;
    points.push_back({(i + 1) * kSecond_ns / 10, static_cast<Bytes>(bytes_at(t))});
  }
  return points;
}

inline std::vector<TrendPoint> rising(double mib_per_second) {
  return points_of(100, [=](double t) { return 50e6 + mib_per_second * t * static_cast<double>(kMi); });
}

inline std::vector<TrendPoint> flat() {
  return points_of(100, [](double t) { return 50e6 + 1000 * t; });
}

inline void own(Evidence& evidence, Owner owner, Bytes bytes) {
  evidence.ledger.owners[static_cast<std::size_t>(owner)].rss_bytes += bytes;
  evidence.ledger.rss_bytes += bytes;
}

/// A glibc process with these resident parts.
inline Evidence with_heap(const ResidentParts& parts) {
  Evidence evidence;
  evidence.target = "42";
  evidence.allocator = "glibc 2.36";
  HeapReport heap;
  heap.found = true;
  ArenaReport arena;
  arena.resident = parts;
  arena.rss_bytes = parts.sum();
  arena.obtained = {parts.live_bytes, parts.cached_bytes,
                    parts.trimmable_bytes + parts.pinned_bytes + parts.top_bytes, parts.metadata_bytes};
  heap.arenas = {arena};
  evidence.heap = heap;
  evidence.malloc = total_of_heap(heap);
  own(evidence, Owner::kMallocArenas, arena.rss_bytes);
  return evidence;
}

inline SiteEvidence leaking_site(Bytes live_bytes, double rate) {
  SiteEvidence site;
  site.live_bytes = live_bytes;
  site.live_low_bytes = live_bytes - live_bytes / 50;
  site.live_high_bytes = live_bytes + live_bytes / 50;
  site.growth_bytes_per_second = rate;
  site.growth_low = rate * 0.9;
  site.growth_high = rate * 1.1;
  site.born_bytes = {live_bytes / 8, live_bytes / 8, live_bytes / 8, live_bytes / 8};
  site.place = "leaky() < main";
  return site;
}

inline bool has(const std::vector<Verdict>& verdicts, VerdictKind kind) {
  for (const Verdict& verdict : verdicts) {
    if (verdict.kind == kind) return true;
  }
  return false;
}

inline std::string names(const std::vector<Verdict>& verdicts) {
  std::string all;
  for (const Verdict& verdict : verdicts)
    all += std::string(verdict_name(verdict.kind)) + ": " + verdict.summary + "\n";
  return all;
}

}  // namespace offheap
