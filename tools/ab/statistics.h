// SPDX-License-Identifier: Apache-2.0
//
// Medians, ratios and their intervals from a handful of runs. The same values give the same intervals:
// resampling has a fixed seed. docs/ab.md says why these methods, with the coverage that was measured.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace offheap::ab {

struct Interval {
  double low = 0;
  double high = 0;

  [[nodiscard]] bool holds(double value) const { return low <= value && value <= high; }
};

/// A median and its interval; no interval below kFewestRuns values.
struct Estimate {
  double median = 0;
  std::optional<Interval> interval;
  std::size_t count = 0;
};

/// Below this many values, or pairs, no interval is given: it would hold nearly everything.
inline constexpr std::size_t kFewestRuns = 3;

/// Shape: `values` is not empty. Even counts: the mean of the two in the middle.
double median(std::vector<double> values);

/// Percentile bootstrap of the median. With n < 6 values it cannot be wider than [min, max], which
/// holds the true median in 75, 87.5 and 94 % for n = 3, 4 and 5.
Interval bootstrap_interval(const std::vector<double>& values, double confidence);

/// Student's interval of the mean. Shape: two values at least.
Interval student_interval(const std::vector<double>& values, double confidence);

/// The median with the hull of both intervals, Student's on logarithms where all values are positive:
/// the bootstrap alone promises too much with few runs.
Estimate estimate_median(const std::vector<double>& values, double confidence);

/// How one entry's values relate to another's in the same rounds.
struct PairedRatio {
  double ratio = 1;                  ///< exp of the median of log(other / first)
  std::optional<Interval> interval;  ///< from kFewestRuns pairs on
  std::size_t pairs = 0;

  /// The factor that the pairs could tell from 1: half the interval's width, as a ratio above 1.
  [[nodiscard]] std::optional<double> detectable() const;
};

/// Shape: `pairs` are (first, other), all positive; not empty. What a round does to both cancels out.
PairedRatio paired_ratio(const std::vector<std::pair<double, double>>& pairs, double confidence);

}  // namespace offheap::ab
