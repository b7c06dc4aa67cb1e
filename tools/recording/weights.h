// SPDX-License-Identifier: Apache-2.0
//
// What each sample of a snapshot stands for, after correction by the exact totals. Inner part of the
// estimator: estimate.cc sums these by site, growth.cc by what came and went.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "recording/estimate.h"

namespace offheap {

/// One live sample, in the order of Snapshot::samples.
struct WeightedSample {
  double weight = 1;          ///< blocks it stands for: factor / pi
  double bytes = 0;           ///< usable * weight
  double variance = 0;        ///< of `bytes`: (factor * usable)^2 * (1 - pi) / pi^2
  std::uint32_t stratum = 0;  ///< index into Weights::strata
};

/// Samples that are corrected together: neighbouring size classes, merged until they hold enough.
struct Stratum {
  double bytes = 0;  ///< sum over its samples, corrected
  double variance = 0;
  bool corrected = false;  ///< an exact total was known
  /// What one sample of a site that has none would stand for: it is missing from `bytes`.
  double unseen_unit = 0;
};

struct Weights {
  std::vector<WeightedSample> samples;
  std::vector<Stratum> strata;
};

Weights weigh_samples(const Snapshot& snapshot, const ExactTotals& totals);

/// Samples whose inclusion was certain up to this are exact: they take no correction.
inline constexpr double kCertain = 1e-6;

/// Whole bytes; a hostile recording's sums may exceed what the type holds.
inline Bytes rounded(double bytes) {
  constexpr double kLargest = 0x1p62;
  return bytes <= 0 ? 0 : static_cast<Bytes>(std::min(bytes, kLargest) + 0.5);
}

}  // namespace offheap
