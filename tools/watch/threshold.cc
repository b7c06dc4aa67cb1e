// SPDX-License-Identifier: Apache-2.0
#include "watch/threshold.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace offheap {

Bytes share_of(Bytes limit_bytes, unsigned percent) {
  return limit_bytes / 100 * percent + limit_bytes % 100 * percent / 100;
}

Result<Levels> parse_levels(std::string_view text) {
  const Error error{ErrorCode::kUsage, "no list of levels", std::string(text),
                    "write percents of the limit between 1 and 99, such as 66,75,90"};
  Levels levels;
  std::string_view rest = text;
  while (true) {
    unsigned value = 0;
    const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (parsed.ec != std::errc{} || value < 1 || value > 99) return error;
    levels.push_back(value);
    rest.remove_prefix(static_cast<std::size_t>(parsed.ptr - rest.data()));
    if (rest.empty()) break;
    if (rest.front() != ',') return error;
    rest.remove_prefix(1);
  }
  std::sort(levels.begin(), levels.end());
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  return levels;
}

std::optional<unsigned> ThresholdPolicy::observe(Bytes usage_bytes, Bytes limit_bytes) {
  if (limit_bytes == 0) return {};
  std::size_t reached = 0;
  while (reached < levels_.size() && usage_bytes >= share_of(limit_bytes, levels_[reached])) ++reached;
  if (reached > passed_) {
    passed_ = reached;
    return levels_[reached - 1];
  }
  while (passed_ > 0) {
    const unsigned level = levels_[passed_ - 1];
    const unsigned rearm = level > kRearmPercent ? level - kRearmPercent : 0;
    if (usage_bytes >= share_of(limit_bytes, rearm)) break;
    --passed_;
  }
  return {};
}

void UsageRing::add(UsagePoint point) {
  if (points_.size() == kMost) points_.pop_front();
  points_.push_back(point);
}

std::optional<std::uint64_t> UsageRing::time_to(Bytes limit_bytes) const {
  // Points of events lie microseconds apart, and the kernel counts in batches: a pace takes longer.
  constexpr std::uint64_t kWindow_ns = 200'000'000;
  if (points_.size() < 2) return {};
  const UsagePoint& last = points_.back();
  std::size_t i = points_.size() - 2;
  while (i > 0 && points_[i].time_ns + kWindow_ns > last.time_ns) --i;
  const UsagePoint& first = points_[i];
  if (last.usage_bytes <= first.usage_bytes || last.time_ns <= first.time_ns) return {};
  if (last.usage_bytes >= limit_bytes) return 0;
  const double per_ns = static_cast<double>(last.usage_bytes - first.usage_bytes) /
                        static_cast<double>(last.time_ns - first.time_ns);
  const double left_ns = static_cast<double>(limit_bytes - last.usage_bytes) / per_ns;
  constexpr double kLongest_ns = 1e18;
  return static_cast<std::uint64_t>(std::min(left_ns, kLongest_ns));
}

}  // namespace offheap
