// SPDX-License-Identifier: Apache-2.0
#include "ab/timeline.h"

#include <algorithm>
#include <optional>

#include "ab/statistics.h"

namespace offheap::ab {
namespace {

double bytes_of(const RssPoint& point, bool tree) {
  return static_cast<double>(tree ? point.tree_rss_bytes : point.rss_bytes);
}

/// The points in order of time, whatever order the row has them in.
std::vector<TimePoint> ordered(const Row& row, bool tree) {
  std::vector<TimePoint> points;
  points.reserve(row.rss.size());
  for (const RssPoint& point : row.rss) points.push_back({point.seconds, bytes_of(point, tree)});
  std::stable_sort(points.begin(), points.end(),
                   [](const TimePoint& a, const TimePoint& b) { return a.seconds < b.seconds; });
  return points;
}

std::optional<double> bytes_at(const std::vector<TimePoint>& points, double seconds) {
  if (points.empty() || seconds > points.back().seconds) return {};
  const auto after =
      std::upper_bound(points.begin(), points.end(), seconds,
                       [](double value, const TimePoint& point) { return value < point.seconds; });
  return after == points.begin() ? points.front().bytes : std::prev(after)->bytes;
}

}  // namespace

std::vector<TimePoint> thinned(const Row& row, bool tree, std::size_t most) {
  std::vector<TimePoint> points = ordered(row, tree);
  if (points.size() <= most) return points;
  std::vector<TimePoint> kept;
  for (std::size_t i = 0; i < most; ++i) {
    const std::size_t begin = i * points.size() / most;
    const std::size_t end = (i + 1) * points.size() / most;
    kept.push_back(
        *std::max_element(points.begin() + static_cast<std::ptrdiff_t>(begin),
                          points.begin() + static_cast<std::ptrdiff_t>(end),
                          [](const TimePoint& a, const TimePoint& b) { return a.bytes < b.bytes; }));
  }
  return kept;
}

double longest_seconds(const Comparison& comparison) {
  double longest = 0;
  for (const Row& row : comparison.rows) {
    if (row.warm_up) continue;
    for (const RssPoint& point : row.rss) longest = std::max(longest, point.seconds);
  }
  return longest;
}

std::vector<TimePoint> median_timeline(const Comparison& comparison, std::size_t entry, bool tree,
                                       double end_seconds, std::size_t steps) {
  std::vector<std::vector<TimePoint>> runs;
  for (const Row& row : comparison.rows)
    if (row.entry == entry && !row.warm_up && !row.rss.empty()) runs.push_back(ordered(row, tree));
  std::vector<TimePoint> line;
  for (std::size_t step = 0; step <= steps; ++step) {
    const double seconds = end_seconds * static_cast<double>(step) / static_cast<double>(steps);
    std::vector<double> bytes;
    for (const auto& run : runs)
      if (const auto value = bytes_at(run, seconds)) bytes.push_back(*value);
    if (bytes.empty() || 2 * bytes.size() < runs.size()) break;
    line.push_back({seconds, median(std::move(bytes))});
  }
  return line;
}

}  // namespace offheap::ab
