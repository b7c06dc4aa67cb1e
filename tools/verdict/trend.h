// SPDX-License-Identifier: Apache-2.0
//
// The shape of a quantity over time. One slope cannot tell a leak from a step, from a cache being
// filled, or from a sawtooth that a collector cuts back; the floors of four windows can.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace offheap {

enum class Shape {
  kTooShort,  ///< too few points to say
  kFlat,
  kRising,   ///< every window's floor is above the last one's, without slowing down
  kSlowing,  ///< rising, but each window rises less: a cache being filled looks like this
  kStep,     ///< one window carries nearly all of the rise
  kPlateau,  ///< it rose before the windows, and rises no more
  kFalling,
  kUneven,  ///< none of these
};
std::string_view shape_name(Shape shape);

struct TrendPoint {
  std::uint64_t time_ns = 0;
  Bytes value_bytes = 0;
};

struct Trend {
  Shape shape = Shape::kTooShort;
  double bytes_per_second = 0;  ///< of the floors, over the windows
  Bytes rise_bytes = 0;         ///< last floor - first floor, 0 when falling
  Bytes spread_bytes = 0;       ///< largest - smallest value inside the windows
  std::uint64_t window_end_ns = 0;
  std::uint64_t window_ns = 0;  ///< what the four windows span together
  Bytes floors_bytes[4] = {};
  std::uint64_t idle_ns = 0;  ///< at the end: how long the value did not move at all
};

inline constexpr std::size_t kTrendMinPoints = 5;
inline constexpr std::uint64_t kTrendMinSpan_ns = 1'000'000'000;
/// Below 1 MiB, or 1 % of the level, a rise is noise.
inline constexpr Bytes kTrendNoiseBytes = Bytes{1} << 20;
inline constexpr double kTrendNoiseShare = 0.01;
/// A rise is a step when one of its three increments holds more than this share of it.
inline constexpr double kStepShare = 0.7;
/// ... and slows down when the last increment is below this share of the first.
inline constexpr double kSlowingShare = 0.5;
/// At the end of the points, a value that stays this close to the last one does not move.
inline constexpr Bytes kIdleBytes = Bytes{16} << 10;
/// Windows lie in the latest half when there are at least this many points, else in all of it.
inline constexpr std::size_t kHalfFromPoints = 16;

/// Classifies `points`, oldest first.
///
/// Shape:  points whose value no longer moves at the end are cut off first and told as idle_ns: a
/// target
///         that does nothing grows by nothing. The windows divide the latest half of the rest.
/// Errors: never fails; fewer than kTrendMinPoints points are kTooShort.
Trend classify(const std::vector<TrendPoint>& points);

}  // namespace offheap
