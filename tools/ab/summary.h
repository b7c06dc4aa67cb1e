// SPDX-License-Identifier: Apache-2.0
//
// What the rows of a comparison say: a median an entry and metric, a ratio to the first entry, and
// whether that is a difference at all when so many are looked at. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ab/comparison.h"
#include "ab/statistics.h"

namespace offheap::ab {

/// All intervals of ratios of a comparison hold together with this probability.
inline constexpr double kConfidence = 0.95;
/// Smaller differences are not counted as any: programs do not repeat better from one day to the next.
inline constexpr double kSmallestDifference = 0.01;
/// Nor are these: about what it costs to carry an allocator and to start it, whatever the program does.
inline constexpr double kSmallestBytes = 8.0 * 1024 * 1024;
inline constexpr double kSmallestSeconds = 0.02;
inline constexpr double kSmallestCount = 2048;  ///< page faults of kSmallestBytes

enum class Difference {
  kNotJudged,   ///< a metric without a better side
  kTooFewRuns,  ///< fewer than kFewestRuns rounds in which both finished
  kNone,        ///< none detected: the interval holds 1
  kTooSmall,    ///< real, but below the smallest that counts; reported as none detected
  kLower,
  kHigher,
};

struct EntrySummary {
  std::string name;
  std::size_t run_count = 0;  ///< without warm-up
  std::size_t done_count = 0;
  std::map<Outcome, std::size_t> outcomes;
  std::map<std::string, Estimate> metrics;  ///< by key; of the runs that are done

  [[nodiscard]] bool failed() const { return done_count < run_count; }
};

struct RatioSummary {
  std::size_t entry = 0;
  std::string key;
  PairedRatio paired;
  double change = 0;  ///< median of the differences within a round, in the metric's unit
  Difference difference = Difference::kNotJudged;

  [[nodiscard]] bool detected() const {
    return difference == Difference::kLower || difference == Difference::kHigher;
  }
};

struct Summary {
  std::vector<EntrySummary> entries;
  /// Those that some run has, in the order of metrics(). A column of the whole tree that equals the
  /// process's own in every run is left out.
  std::vector<Metric> measured;
  std::vector<RatioSummary> ratios;
  std::size_t judged_count = 0;  ///< ratios that the confidence is shared among
  std::size_t warm_up_count = 0;
  bool has_children = false;  ///< the tree is clearly larger than the process: its RSS is what counts

  [[nodiscard]] const RatioSummary* ratio(std::size_t entry, std::string_view key) const;
  [[nodiscard]] std::optional<double> median_of(std::size_t entry, std::string_view key) const;
};

Summary summarise(const Comparison& comparison);

/// The values of a row with those that follow from others: cpu_seconds = user + system.
std::map<std::string, double> values_of(const Row& row);

}  // namespace offheap::ab
