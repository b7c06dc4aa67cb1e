// SPDX-License-Identifier: Apache-2.0
#include "ab/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "base/format.h"
#include "render/page.h"

namespace offheap::ab {
namespace {

constexpr double kLargestCount = 1e15;

const Metric* metric_of(std::string_view key) {
  const auto& all = metrics();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Metric& metric) { return metric.key == key; });
  return found == all.end() ? nullptr : &*found;
}

std::string format_seconds(double seconds) {
  if (seconds >= 100) return fmt::format("{:.0f} s", seconds);
  if (seconds >= 10) return fmt::format("{:.1f} s", seconds);
  if (seconds >= 1) return fmt::format("{:.2f} s", seconds);
  if (seconds >= 1e-3) return fmt::format("{:.3g} ms", seconds * 1e3);
  return fmt::format("{:.3g} us", seconds * 1e6);
}

std::string format_count(double count) {
  if (count >= kLargestCount) return fmt::format("{:.3g}", count);
  return with_commas(static_cast<std::uint64_t>(std::llround(count)));
}

/// "+-8 %", "below x4.2"
std::string format_detectable(double factor) {
  const std::string change = format_change(factor);
  return change.front() == 'x' ? "below " + change : "+-" + change.substr(1);
}

}  // namespace

std::string format_value(std::string_view key, double value) {
  value = std::max(value, 0.0);
  if (key.ends_with("_bytes")) return format_bytes(static_cast<Bytes>(std::min(value, 1e19)));
  if (key.ends_with("_per_second")) {
    return value < 100 ? fmt::format("{:.3g}/s", value) : format_count(value) + "/s";
  }
  if (key.ends_with("_seconds")) return value == 0 ? "0 s" : format_seconds(value);
  if (key.ends_with("_ratio")) return fmt::format("{:.2f}", value);
  return format_count(value);
}

std::string format_change(double ratio) {
  if (ratio >= 4) return ratio < 1000 ? fmt::format("x{:.1f}", ratio) : "x1000 or more";
  const double percent = (ratio - 1) * 100;
  return std::abs(percent) < 9.95 ? fmt::format("{:+.1f} %", percent)
                                  : fmt::format("{:+.0f} %", percent);
}

std::string format_changes(const Interval& interval) {
  return fmt::format("{} .. {}", format_change(interval.low), format_change(interval.high));
}

std::string format_ratio(const RatioSummary& ratio) {
  switch (ratio.difference) {
    case Difference::kTooFewRuns:
      return format_change(ratio.paired.ratio) + " (too few runs)";
    case Difference::kNotJudged:
      return format_change(ratio.paired.ratio);
    case Difference::kNone:
    case Difference::kTooSmall:
      return fmt::format("none detected ({})", format_detectable(*ratio.paired.detectable()));
    default:
      return fmt::format("{} ({})", format_change(ratio.paired.ratio),
                         format_changes(*ratio.paired.interval));
  }
}

std::string format_outcomes(const EntrySummary& entry) {
  if (entry.run_count == 0) return "no run";
  if (!entry.failed()) return fmt::format("{} done", entry.done_count);
  std::string text;
  for (const auto& [outcome, count] : entry.outcomes) {
    if (outcome == Outcome::kDone) continue;
    text += fmt::format("{}{} of {} {}", text.empty() ? "" : ", ", count, entry.run_count,
                        outcome_name(outcome));
  }
  return text;
}

std::vector<Remark> remarks_of(const Comparison& comparison) {
  std::map<std::pair<std::size_t, std::string>, std::size_t> counts;
  for (const Row& row : comparison.rows) {
    if (row.warm_up) continue;
    for (const std::string& note : row.notes) ++counts[{row.entry, note}];
  }
  std::vector<Remark> remarks;
  remarks.reserve(counts.size());
  for (const auto& [what, count] : counts) remarks.push_back({what.first, what.second, count});
  return remarks;
}

std::string title_of(std::string_view key) {
  const Metric* metric = metric_of(key);
  return std::string(metric == nullptr ? key : metric->title);
}

bool is_better(const RatioSummary& ratio) {
  const Metric* metric = metric_of(ratio.key);
  if (metric == nullptr || !ratio.detected()) return false;
  return metric->better == (ratio.difference == Difference::kLower ? Better::kLower : Better::kHigher);
}

}  // namespace offheap::ab
