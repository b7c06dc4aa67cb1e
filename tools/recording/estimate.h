// SPDX-License-Identifier: Apache-2.0
//
// From samples to bytes: how much of what each site allocated is alive, within which bounds, and how
// fast it grows. Pure functions over a Snapshot. The samples are Poisson by bytes: a block of u usable
// bytes is in the sample with probability pi = 1 - exp(-u / mean), so u / pi is an unbiased estimate of
// what it stands for (Horvitz-Thompson), which exact totals per size class then correct (ratio
// estimator).
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/units.h"
#include "glibc_heap/heap_report.h"
#include "recording/snapshot.h"

namespace offheap {

/// Exact figures that correct the estimates; both parts are optional.
struct ExactTotals {
  /// Live blocks by glibc chunk size, HeapReport::live_by_class; empty = unknown.
  std::map<Bytes, HeapReport::ClassTotal> live_by_class;
  /// Usable bytes alive through the shim, its own exact counters; 0 = unknown.
  Bytes live_bytes = 0;
};

/// What can be trusted to correct `snapshot`. The heap's classes are left out when they count blocks
/// that the shim has not seen (allocated before it, or by a fork's parent): more than 2 % apart.
/// `heap` may be null.
ExactTotals exact_totals(const Snapshot& snapshot, const HeapReport* heap);

inline constexpr std::uint32_t kBirthWindows = 8;

/// Where a growth figure comes from.
enum class GrowthSource {
  kNone,        ///< observed too shortly
  kBirthTimes,  ///< birth times of what is still alive, one look
  kTwoLooks,    ///< what appeared and what vanished between two looks
};

/// What is alive of one site. Intervals are 95 %.
struct SiteEstimate {
  std::uint32_t site = 0;  ///< index into Snapshot::sites; recording::kNoSite = site unknown
  bool exact = false;      ///< the program's own mappings: counted, not sampled
  Bytes live_bytes = 0;    ///< usable
  Bytes live_bytes_low = 0;
  Bytes live_bytes_high = 0;
  Bytes requested_bytes = 0;
  std::uint64_t live_count = 0;    ///< blocks, estimated
  std::uint64_t sample_count = 0;  ///< samples that this rests on
  GrowthSource growth_source = GrowthSource::kNone;
  double growth_bytes_per_second = 0;
  double growth_low = 0;
  double growth_high = 0;
  /// Live bytes by birth, in kBirthWindows equal parts of [start, taken]. A leak's survivors are spread
  /// over all of them, a working set's stand in the last, what start-up built stands in the first.
  std::vector<Bytes> born_by_window;
};

/// An estimate for every site with something sampled alive, largest first. Where totals are given,
/// their live_bytes sum to the exact total up to rounding; less only while the mean has grown, when
/// sites without a sample are presumed to hold a part.
///
/// Errors: never fails; samples with an impossible mean were dropped by the reader.
/// Thread: any; no shared state.
std::vector<SiteEstimate> estimate_sites(const Snapshot& snapshot, const ExactTotals& totals);

/// Like estimate_sites(after), with growth measured between two looks at the same process. Blocks that
/// both looks have sampled cancel, so only what came and went adds to the error. Sites that vanished
/// entirely are included, with live_bytes 0.
std::vector<SiteEstimate> estimate_growth(const Snapshot& before, const ExactTotals& before_totals,
                                          const Snapshot& after, const ExactTotals& after_totals);

}  // namespace offheap
