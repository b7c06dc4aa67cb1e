// SPDX-License-Identifier: Apache-2.0
//
// When a group's usage is worth a look: once for each upward passage of a level, and not again while it
// hovers there. Pure; one policy a group.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace offheap {

/// Percent of the limit, ascending, each once.
using Levels = std::vector<unsigned>;

/// "66,75,90". Errors: kUsage for anything but whole numbers of 1 to 99.
Result<Levels> parse_levels(std::string_view text);

class ThresholdPolicy {
 public:
  /// A level that was passed is armed again when usage has fallen this many percent of the limit below
  /// it.
  static constexpr unsigned kRearmPercent = 5;

  explicit ThresholdPolicy(Levels levels) : levels_(std::move(levels)) {}

  /// Takes the latest usage; the highest level that it has passed upward since the last call. Several
  /// levels passed at once are one passage. A limit of 0 is none: nothing is passed.
  std::optional<unsigned> observe(Bytes usage_bytes, Bytes limit_bytes);

  /// The highest level that counts as passed, 0 = none.
  [[nodiscard]] unsigned passed() const { return passed_ == 0 ? 0 : levels_[passed_ - 1]; }

 private:
  Levels levels_;
  std::size_t passed_ = 0;
};

/// `percent` of `limit_bytes`, without overflow.
Bytes share_of(Bytes limit_bytes, unsigned percent);

struct UsagePoint {
  std::uint64_t time_ns = 0;  ///< CLOCK_REALTIME
  Bytes usage_bytes = 0;
};

/// The latest usage of a group, one point an interval: cheap enough for every group.
class UsageRing {
 public:
  static constexpr std::size_t kMost = 120;

  void add(UsagePoint point);
  [[nodiscard]] const std::deque<UsagePoint>& points() const { return points_; }

  /// Nanoseconds until the limit at the pace of the latest points; nothing when usage does not rise.
  [[nodiscard]] std::optional<std::uint64_t> time_to(Bytes limit_bytes) const;

 private:
  std::deque<UsagePoint> points_;
};

}  // namespace offheap
