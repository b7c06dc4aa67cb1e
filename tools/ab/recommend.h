// SPDX-License-Identifier: Apache-2.0
//
// What to do with a comparison: switch to one of its entries, or stay with the first, and why. Pure;
// docs/ab.md gives the rules with their reasons.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "ab/summary.h"

namespace offheap::ab {

/// Memory saved that is worth a change: all three must hold.
inline constexpr double kSavingWorth = 0.10;
inline constexpr double kSavingCertain = 0.05;  ///< the interval's weaker end
inline constexpr double kSavingWorthBytes = 16.0 * 1024 * 1024;
/// Speed gained that is worth a change, where memory does not grow by as much as kSavingWorth.
inline constexpr double kSpeedWorth = 0.05;
inline constexpr double kSpeedCertain = 0.02;
/// A detected cost from here on is shown.
inline constexpr double kCostShown = 0.02;
/// A detected loss of throughput or wall time above this forbids the change; above kCostAllowedForHalf
/// where memory is halved. Latency and CPU time have twice as much room.
inline constexpr double kCostAllowed = 0.05;
inline constexpr double kCostAllowedForHalf = 0.10;
/// An undetected cost is warned of when the runs could not have shown less than this.
inline constexpr double kBlindCost = 0.10;

/// What decides, and what every table shows first.
inline constexpr std::array<std::string_view, 8> kDecidingMetrics = {
    "end_rss_bytes", "peak_rss_bytes",        "tree_mean_rss_bytes", "tree_peak_rss_bytes",
    "wall_seconds",  "throughput_per_second", "latency_p99_seconds", "cpu_seconds"};

/// Why an entry is not the one.
struct Rejection {
  std::size_t entry = 0;
  std::string reason;
};

struct Recommendation {
  std::size_t entry = 0;   ///< 0 = stay
  std::string decided_by;  ///< key of the metric that decided; "outcome" for failures; empty for stay
  std::string reason;      ///< one sentence
  std::vector<std::string> saves;
  std::vector<std::string> costs;
  std::vector<std::string> cautions;  ///< what these runs cannot exclude
  std::vector<Rejection> rejected;
  std::vector<std::string>
      setting;         ///< lines for a Dockerfile; empty for stay, or where none are needed
  std::string verify;  ///< a command line; empty for stay
};

Recommendation recommend(const Comparison& comparison, const Summary& summary);

/// Metrics that memory is judged by: those of the tree where there are children, else of the process.
std::vector<std::string> memory_keys(const Summary& summary);

}  // namespace offheap::ab
