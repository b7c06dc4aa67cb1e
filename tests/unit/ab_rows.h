// SPDX-License-Identifier: Apache-2.0
//
// Comparisons made of known figures.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ab/comparison.h"

namespace offheap::ab {

inline constexpr double kMi = 1024.0 * 1024.0;

/// One value a round: {{"end_rss_bytes", {100, 101, 99}}, ...}
using Columns = std::vector<std::pair<std::string, std::vector<double>>>;

inline Row row_of(std::size_t entry, std::string name, std::size_t round) {
  Row row;
  row.entry = entry;
  row.name = std::move(name);
  row.round = round;
  return row;
}

inline void add_entry(Comparison& comparison, const std::string& name, const Columns& columns) {
  const std::size_t entry = comparison.entries.size();
  comparison.entries.push_back(name);
  for (std::size_t round = 0; round < columns.front().second.size(); ++round) {
    Row row = row_of(entry, name, round);
    for (const auto& [key, values] : columns) row.values[key] = values[round];
    comparison.rows.push_back(std::move(row));
  }
}

/// Rows of `entry` in these rounds end as `outcome`, without figures.
inline void fail(Comparison& comparison, std::size_t entry, const std::vector<std::size_t>& rounds,
                 Outcome outcome) {
  for (Row& row : comparison.rows) {
    for (const std::size_t round : rounds) {
      if (row.entry != entry || row.round != round) continue;
      row.outcome = outcome;
      row.code = 9;
      row.problem = "killed at the limit";
      row.values.clear();
    }
  }
}

/// `value` with 1 % of noise, the same five rounds for every call with the same `phase`.
inline std::vector<double> about(double value, int phase = 0) {
  constexpr double kNoise[] = {1.004, 0.996, 1.001, 0.998, 1.006, 0.993, 1.0, 1.003};
  std::vector<double> values;
  for (int i = 0; i < 5; ++i) values.push_back(value * kNoise[(i + 3 * phase) % 8]);
  return values;
}

/// End and peak RSS in MiB, and wall seconds.
inline Columns figures(double end_mib, double peak_mib, double seconds, int phase) {
  return {{"end_rss_bytes", about(end_mib * kMi, phase)},
          {"peak_rss_bytes", about(peak_mib * kMi, phase + 1)},
          {"wall_seconds", about(seconds, phase + 2)}};
}

}  // namespace offheap::ab
