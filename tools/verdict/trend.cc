// SPDX-License-Identifier: Apache-2.0
#include "verdict/trend.h"

#include <algorithm>
#include <array>
#include <limits>

namespace offheap {
namespace {

constexpr std::size_t kWindows = 4;

Bytes distance(Bytes a, Bytes b) { return a > b ? a - b : b - a; }

/// Index one past the last point at which the value still moved. The first point that already had the
/// last value stays: it ends the movement.
std::size_t active_end(const std::vector<TrendPoint>& points) {
  const Bytes last = points.back().value_bytes;
  std::size_t end = points.size();
  while (end > 1 && distance(points[end - 2].value_bytes, last) <= kIdleBytes) --end;
  return end;
}

struct Windows {
  std::array<Bytes, kWindows> floors{};
  Bytes largest = 0;
  Bytes smallest = std::numeric_limits<Bytes>::max();
  std::uint64_t begin_ns = 0;
  std::uint64_t end_ns = 0;
  bool complete = false;  ///< every window holds a point
};

Windows cut(const std::vector<TrendPoint>& points, std::size_t end) {
  Windows windows;
  const std::uint64_t last = points[end - 1].time_ns;
  const std::uint64_t first = points.front().time_ns;
  windows.begin_ns = end >= kHalfFromPoints ? first + (last - first) / 2 : first;
  windows.end_ns = last;
  std::array<bool, kWindows> filled{};
  windows.floors.fill(std::numeric_limits<Bytes>::max());
  const std::uint64_t span = last - windows.begin_ns;
  for (std::size_t i = 0; i < end; ++i) {
    if (points[i].time_ns < windows.begin_ns) continue;
    const auto offset = static_cast<double>(points[i].time_ns - windows.begin_ns);
    const auto index =
        span == 0 ? 0
                  : std::min(kWindows - 1,
                             static_cast<std::size_t>(offset * kWindows / static_cast<double>(span)));
    windows.floors[index] = std::min(windows.floors[index], points[i].value_bytes);
    windows.largest = std::max(windows.largest, points[i].value_bytes);
    windows.smallest = std::min(windows.smallest, points[i].value_bytes);
    filled[index] = true;
  }
  windows.complete = std::all_of(filled.begin(), filled.end(), [](bool b) { return b; });
  return windows;
}

double noise_of(double level) {
  return std::max(static_cast<double>(kTrendNoiseBytes), level * kTrendNoiseShare);
}

Shape shape_of_rise(const std::array<double, 3>& increments, double total) {
  const double largest = *std::max_element(increments.begin(), increments.end());
  const double smallest = *std::min_element(increments.begin(), increments.end());
  if (largest > kStepShare * total) return increments[2] == largest ? Shape::kUneven : Shape::kStep;
  if (smallest <= 0) return Shape::kUneven;
  if (increments[2] < kSlowingShare * increments[0]) return Shape::kSlowing;
  return Shape::kRising;
}

Shape shape_of(const Windows& windows, Bytes earliest_floor) {
  std::array<double, 3> increments{};
  for (std::size_t i = 0; i < 3; ++i) {
    increments[i] = static_cast<double>(windows.floors[i + 1]) - static_cast<double>(windows.floors[i]);
  }
  const double first = static_cast<double>(windows.floors.front());
  const double total = static_cast<double>(windows.floors.back()) - first;
  const double noise = noise_of(first);
  if (total > noise) return shape_of_rise(increments, total);
  if (total < -noise) return Shape::kFalling;
  const double before = first - static_cast<double>(earliest_floor);
  return before > noise ? Shape::kPlateau : Shape::kFlat;
}

}  // namespace

std::string_view shape_name(Shape shape) {
  switch (shape) {
    case Shape::kTooShort:
      return "too short to say";
    case Shape::kFlat:
      return "flat";
    case Shape::kRising:
      return "rising steadily";
    case Shape::kSlowing:
      return "rising, but slowing down";
    case Shape::kStep:
      return "one step";
    case Shape::kPlateau:
      return "a plateau after a rise";
    case Shape::kFalling:
      return "falling";
    case Shape::kUneven:
      return "uneven";
  }
  return "uneven";
}

Trend classify(const std::vector<TrendPoint>& points) {
  Trend trend;
  if (points.empty()) return trend;
  const std::size_t end = active_end(points);
  trend.idle_ns = points.back().time_ns - points[end - 1].time_ns;
  if (end == 1 && points.size() >= kTrendMinPoints) {
    trend.window_ns = trend.idle_ns;
    trend.window_end_ns = points.back().time_ns;
    std::fill(std::begin(trend.floors_bytes), std::end(trend.floors_bytes), points.front().value_bytes);
    if (trend.window_ns >= kTrendMinSpan_ns) trend.shape = Shape::kFlat;
    return trend;
  }
  const std::uint64_t span = points[end - 1].time_ns - points.front().time_ns;
  if (end < kTrendMinPoints || span < kTrendMinSpan_ns) return trend;
  const Windows windows = cut(points, end);
  if (!windows.complete) return trend;
  std::copy(windows.floors.begin(), windows.floors.end(), trend.floors_bytes);
  trend.window_ns = windows.end_ns - windows.begin_ns;
  trend.window_end_ns = windows.end_ns;
  trend.spread_bytes = windows.largest - windows.smallest;
  const double rise =
      static_cast<double>(windows.floors.back()) - static_cast<double>(windows.floors.front());
  trend.rise_bytes = rise > 0 ? static_cast<Bytes>(rise) : 0;
  // The floors of four windows stand three quarters of the span apart.
  trend.bytes_per_second = rise / (static_cast<double>(trend.window_ns) * 0.75 / 1e9);
  trend.shape = shape_of(windows, points.front().value_bytes);
  return trend;
}

}  // namespace offheap
