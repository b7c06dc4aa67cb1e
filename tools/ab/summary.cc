// SPDX-License-Identifier: Apache-2.0
#include "ab/summary.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace offheap::ab {
namespace {

/// The tree is clearly larger than the process from this factor on.
constexpr double kTreeFactor = 1.1;

/// Values below what can be measured count as that, so that a ratio with 0 stays a number.
double resolution_of(std::string_view key) {
  if (key.ends_with("_bytes")) return 4096;
  if (key.starts_with("latency_")) return 1e-6;
  if (key.ends_with("_seconds")) return 1e-3;
  if (key.ends_with("_per_second") || key.ends_with("_ratio")) return 1e-3;
  return 1;
}

double smallest_change_of(std::string_view key) {
  if (key.ends_with("_bytes")) return kSmallestBytes;
  if (key.starts_with("latency_") || key.ends_with("_per_second") || key.ends_with("_ratio")) return 0;
  return key.ends_with("_seconds") ? kSmallestSeconds : kSmallestCount;
}

using Values = std::map<std::string, double>;

/// Values of every run that is done, by entry and round.
using Done = std::vector<std::map<std::size_t, Values>>;

Done done_values(const Comparison& comparison) {
  Done done(comparison.entries.size());
  for (const Row& row : comparison.rows) {
    if (row.entry < done.size() && !row.warm_up && row.outcome == Outcome::kDone)
      done[row.entry].emplace(row.round, values_of(row));
  }
  return done;
}

std::vector<double> column(const Done& done, std::size_t entry, std::string_view key) {
  std::vector<double> values;
  for (const auto& [round, row] : done[entry]) {
    const auto found = row.find(std::string(key));
    if (found != row.end()) values.push_back(found->second);
  }
  return values;
}

/// Whether `tree` says nothing that `own` does not say.
bool same_column(const Done& done, std::string_view own, std::string_view tree) {
  for (std::size_t entry = 0; entry < done.size(); ++entry)
    if (column(done, entry, own) != column(done, entry, tree)) return false;
  return true;
}

std::vector<Metric> measured_metrics(const Done& done) {
  std::vector<Metric> measured;
  for (const Metric& metric : metrics()) {
    bool any = false;
    for (std::size_t entry = 0; entry < done.size(); ++entry)
      any = any || !column(done, entry, metric.key).empty();
    constexpr std::string_view kTree = "tree_";
    const bool copy =
        metric.key.starts_with(kTree) && same_column(done, metric.key.substr(kTree.size()), metric.key);
    if (any && !copy) measured.push_back(metric);
  }
  return measured;
}

Difference judge(const RatioSummary& ratio, const Metric& metric) {
  if (metric.better == Better::kNeither) return Difference::kNotJudged;
  if (!ratio.paired.interval) return Difference::kTooFewRuns;
  if (ratio.paired.interval->holds(1)) return Difference::kNone;
  const bool small = std::abs(std::log(ratio.paired.ratio)) < std::log1p(kSmallestDifference) ||
                     std::abs(ratio.change) < smallest_change_of(metric.key);
  if (small) return Difference::kTooSmall;
  return ratio.paired.ratio < 1 ? Difference::kLower : Difference::kHigher;
}

/// Nothing where no round has the metric under both.
std::optional<RatioSummary> compare(const Done& done, std::size_t entry, const Metric& metric,
                                    double confidence) {
  std::vector<std::pair<double, double>> pairs;
  std::vector<double> changes;
  const std::string key(metric.key);
  const double least = resolution_of(key);
  for (const auto& [round, other] : done[entry]) {
    const auto first = done[0].find(round);
    if (first == done[0].end() || !first->second.contains(key) || !other.contains(key)) continue;
    const double a = first->second.at(key);
    const double b = other.at(key);
    pairs.emplace_back(std::max(a, least), std::max(b, least));
    changes.push_back(b - a);
  }
  if (pairs.empty()) return {};
  RatioSummary ratio{entry, key, paired_ratio(pairs, confidence), median(changes)};
  ratio.difference = judge(ratio, metric);
  return ratio;
}

void count_runs(const Comparison& comparison, Summary& summary) {
  for (const std::string& name : comparison.entries) summary.entries.push_back({name, 0, 0, {}, {}});
  for (const Row& row : comparison.rows) {
    if (row.entry >= summary.entries.size()) continue;
    if (row.warm_up) {
      ++summary.warm_up_count;
      continue;
    }
    EntrySummary& entry = summary.entries[row.entry];
    ++entry.run_count;
    ++entry.outcomes[row.outcome];
    entry.done_count += row.outcome == Outcome::kDone ? 1 : 0;
  }
}

bool tree_is_larger(const Summary& summary) {
  for (std::size_t entry = 0; entry < summary.entries.size(); ++entry) {
    const auto own = summary.median_of(entry, "mean_rss_bytes");
    const auto tree = summary.median_of(entry, "tree_mean_rss_bytes");
    if (own && tree && *tree > kTreeFactor * *own) return true;
  }
  return false;
}

}  // namespace

std::map<std::string, double> values_of(const Row& row) {
  std::map<std::string, double> values = row.values;
  const auto user = values.find("user_seconds");
  const auto system = values.find("system_seconds");
  if (user != values.end() && system != values.end())
    values.emplace("cpu_seconds", user->second + system->second);
  return values;
}

const RatioSummary* Summary::ratio(std::size_t entry, std::string_view key) const {
  const auto found = std::find_if(ratios.begin(), ratios.end(), [&](const RatioSummary& one) {
    return one.entry == entry && one.key == key;
  });
  return found == ratios.end() ? nullptr : &*found;
}

std::optional<double> Summary::median_of(std::size_t entry, std::string_view key) const {
  const auto found = entries[entry].metrics.find(std::string(key));
  if (found == entries[entry].metrics.end()) return {};
  return found->second.median;
}

Summary summarise(const Comparison& comparison) {
  Summary summary;
  count_runs(comparison, summary);
  if (comparison.entries.empty()) return summary;
  const Done done = done_values(comparison);
  summary.measured = measured_metrics(done);
  for (const Metric& metric : summary.measured) {
    for (std::size_t entry = 0; entry < done.size(); ++entry) {
      const std::vector<double> values = column(done, entry, metric.key);
      if (!values.empty())
        summary.entries[entry].metrics[std::string(metric.key)] = estimate_median(values, kConfidence);
    }
    if (metric.better != Better::kNeither) summary.judged_count += done.size() - 1;
  }
  summary.has_children = tree_is_larger(summary);
  // Bonferroni: every interval gets its share of the 5 % by which any of them may be wrong.
  const double share =
      1 - (1 - kConfidence) / static_cast<double>(std::max<std::size_t>(summary.judged_count, 1));
  for (const Metric& metric : summary.measured)
    for (std::size_t entry = 1; entry < done.size(); ++entry)
      if (auto ratio = compare(done, entry, metric, share)) summary.ratios.push_back(std::move(*ratio));
  return summary;
}

}  // namespace offheap::ab
