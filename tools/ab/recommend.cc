// SPDX-License-Identifier: Apache-2.0
#include "ab/recommend.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ab/figures.h"
#include "ab/setting.h"

namespace offheap::ab {
namespace {

/// Half of the memory.
constexpr double kHalf = 0.5;

struct Speed {
  std::string_view key;
  double room;  ///< times kCostAllowed
};
constexpr Speed kSpeeds[] = {
    {"throughput_per_second", 1}, {"wall_seconds", 1}, {"latency_p99_seconds", 2}, {"cpu_seconds", 2}};

/// How many times slower, whichever way the metric runs: 1.03 = 3 % worse.
double worsening(const RatioSummary& ratio) {
  return ratio.key == "throughput_per_second" ? 1 / ratio.paired.ratio : ratio.paired.ratio;
}

/// The end of the interval that speaks least for a gain, as a worsening.
double weakest_gain(const RatioSummary& ratio) {
  return ratio.key == "throughput_per_second" ? 1 / ratio.paired.interval->low
                                              : ratio.paired.interval->high;
}

/// The wall time of a server's run is the load's: its throughput is what counts.
bool counts(const Summary& summary, std::size_t entry, std::string_view key) {
  return key != "wall_seconds" || summary.ratio(entry, "throughput_per_second") == nullptr;
}

std::string with_medians(const Summary& summary, const RatioSummary& ratio) {
  return fmt::format("{} {}: {} -> {}", title_of(ratio.key), format_ratio(ratio),
                     format_value(ratio.key, summary.median_of(0, ratio.key).value_or(0)),
                     format_value(ratio.key, summary.median_of(ratio.entry, ratio.key).value_or(0)));
}

bool is_saving(const RatioSummary& ratio) {
  return ratio.difference == Difference::kLower && ratio.paired.ratio <= 1 - kSavingWorth &&
         ratio.paired.interval->high <= 1 - kSavingCertain && -ratio.change >= kSavingWorthBytes;
}

bool is_memory_loss(const RatioSummary& ratio) {
  return ratio.difference == Difference::kHigher && ratio.paired.ratio >= 1 + kSavingWorth &&
         ratio.change >= kSavingWorthBytes;
}

/// The metric that an entry is better by, enough to be worth a change.
const RatioSummary* memory_gain(const Summary& summary, std::size_t entry) {
  for (const std::string& key : memory_keys(summary)) {
    const RatioSummary* ratio = summary.ratio(entry, key);
    if (ratio != nullptr && is_saving(*ratio)) return ratio;
  }
  return nullptr;
}

const RatioSummary* speed_gain(const Summary& summary, std::size_t entry) {
  for (const std::string_view key : {"throughput_per_second", "wall_seconds"}) {
    const RatioSummary* ratio = summary.ratio(entry, key);
    if (ratio == nullptr || !counts(summary, entry, key) || !is_better(*ratio)) continue;
    if (worsening(*ratio) <= 1 - kSpeedWorth && weakest_gain(*ratio) <= 1 - kSpeedCertain) return ratio;
  }
  return nullptr;
}

/// What forbids an entry, whatever it saves; empty = nothing does.
std::string veto(const Summary& summary, std::size_t entry, double saved_ratio) {
  const EntrySummary& runs = summary.entries[entry];
  if (runs.run_count == 0) return "it was not run";
  if (runs.failed()) return format_outcomes(runs);
  for (const std::string& key : memory_keys(summary)) {
    const RatioSummary* ratio = summary.ratio(entry, key);
    if (ratio != nullptr && is_memory_loss(*ratio)) return with_medians(summary, *ratio);
  }
  const double allowed = saved_ratio <= kHalf ? kCostAllowedForHalf : kCostAllowed;
  for (const Speed& speed : kSpeeds) {
    const RatioSummary* ratio = summary.ratio(entry, speed.key);
    if (ratio == nullptr || !ratio->detected() || !counts(summary, entry, speed.key)) continue;
    if (worsening(*ratio) > 1 + allowed * speed.room) return with_medians(summary, *ratio);
  }
  return {};
}

/// Nothing to choose it for: what came nearest, in words.
std::string no_gain(const Summary& summary, std::size_t entry) {
  for (const std::string& key : memory_keys(summary)) {
    const RatioSummary* ratio = summary.ratio(entry, key);
    if (ratio != nullptr && ratio->difference == Difference::kLower)
      return with_medians(summary, *ratio) + ", too little to be worth a change";
  }
  bool any = false;
  for (const RatioSummary& ratio : summary.ratios)
    any = any || (ratio.entry == entry && ratio.detected());
  return any ? "saves nothing that is worth a change" : "no difference detected";
}

void describe(const Summary& summary, Recommendation& advice) {
  for (const RatioSummary& ratio : summary.ratios) {
    if (ratio.entry != advice.entry) continue;
    const double size = std::abs(std::log(ratio.paired.ratio));
    if (ratio.detected() && size >= std::log1p(kCostShown))
      (is_better(ratio) ? advice.saves : advice.costs).push_back(with_medians(summary, ratio));
  }
  for (const Speed& speed : kSpeeds) {
    const RatioSummary* ratio = summary.ratio(advice.entry, speed.key);
    if (ratio == nullptr || ratio->detected() || !counts(summary, advice.entry, speed.key)) continue;
    const auto detectable = ratio->paired.detectable();
    if (detectable && *detectable <= 1 + kBlindCost) continue;
    advice.cautions.push_back(
        fmt::format("{}: {}; more runs would tell", title_of(speed.key), format_ratio(*ratio)));
  }
}

/// Failing runs are worth a change by themselves: half of them, and two at least.
bool current_fails(const Summary& summary) {
  const std::size_t failures = summary.entries[0].run_count - summary.entries[0].done_count;
  return failures >= 2 && 2 * failures >= summary.entries[0].run_count;
}

double memory_of(const Summary& summary, std::size_t entry) {
  const char* key = summary.has_children ? "tree_peak_rss_bytes" : "peak_rss_bytes";
  return summary.median_of(entry, key).value_or(HUGE_VAL);
}

void choose_survivor(const Summary& summary, Recommendation& advice) {
  for (std::size_t entry = 1; entry < summary.entries.size(); ++entry) {
    const EntrySummary& runs = summary.entries[entry];
    if (runs.failed() || runs.run_count < kFewestRuns) {
      advice.rejected.push_back({entry, format_outcomes(runs)});
    } else if (advice.entry == 0 || memory_of(summary, entry) < memory_of(summary, advice.entry)) {
      advice.entry = entry;
    }
  }
  if (advice.entry == 0) return;
  advice.decided_by = "outcome";
  advice.reason = fmt::format("{} finished all its runs; {}: {}", summary.entries[advice.entry].name,
                              summary.entries[0].name, format_outcomes(summary.entries[0]));
}

struct Candidate {
  std::size_t entry = 0;
  const RatioSummary* gain = nullptr;
  bool memory = false;

  /// Memory before speed, then the larger gain.
  [[nodiscard]] bool before(const Candidate& other) const {
    if (other.gain == nullptr) return true;
    if (memory != other.memory) return memory;
    return worsening(*gain) < worsening(*other.gain);
  }
};

void choose_better(const Summary& summary, Recommendation& advice) {
  Candidate best;
  for (std::size_t entry = 1; entry < summary.entries.size(); ++entry) {
    const RatioSummary* memory = memory_gain(summary, entry);
    const RatioSummary* gain = memory != nullptr ? memory : speed_gain(summary, entry);
    const std::string forbidden = veto(summary, entry, memory != nullptr ? memory->paired.ratio : 1);
    if (!forbidden.empty()) {
      advice.rejected.push_back({entry, forbidden});
    } else if (gain == nullptr) {
      advice.rejected.push_back({entry, no_gain(summary, entry)});
    } else if (const Candidate candidate{entry, gain, memory != nullptr}; candidate.before(best)) {
      best = candidate;
    }
  }
  if (best.gain == nullptr) return;
  advice.entry = best.entry;
  advice.decided_by = best.gain->key;
  advice.reason = with_medians(summary, *best.gain);
}

std::string reason_to_stay(const Summary& summary) {
  if (summary.entries.size() < 2) return "there is nothing to compare it with";
  if (summary.entries[0].done_count == 0)
    return "none of its runs finished, nor does any other entry do better";
  bool any_interval = false;
  bool any_detected = false;
  bool any_failed = false;
  for (const RatioSummary& ratio : summary.ratios) {
    any_interval = any_interval || ratio.paired.interval;
    any_detected = any_detected || ratio.detected();
  }
  for (const EntrySummary& entry : summary.entries) any_failed = any_failed || entry.failed();
  if (!any_interval && !any_failed)
    return fmt::format("fewer than {} rounds finished under both: too few to tell", kFewestRuns);
  if (!any_detected) return any_failed ? "no other entry is better" : "no difference detected";
  return "no other entry saves enough for what it costs";
}

}  // namespace

std::vector<std::string> memory_keys(const Summary& summary) {
  if (summary.has_children) return {"tree_mean_rss_bytes", "tree_peak_rss_bytes"};
  return {"end_rss_bytes", "peak_rss_bytes"};
}

Recommendation recommend(const Comparison& comparison, const Summary& summary) {
  Recommendation advice;
  if (summary.entries.empty()) return advice;
  if (current_fails(summary)) {
    choose_survivor(summary, advice);
  } else {
    choose_better(summary, advice);
  }
  if (advice.entry == 0) {
    advice.reason = reason_to_stay(summary);
    return advice;
  }
  for (std::size_t entry = 1; entry < summary.entries.size(); ++entry) {
    const auto known = std::any_of(advice.rejected.begin(), advice.rejected.end(),
                                   [&](const Rejection& one) { return one.entry == entry; });
    if (entry != advice.entry && !known) advice.rejected.push_back({entry, "gains less"});
  }
  describe(summary, advice);
  advice.setting = setting_lines(comparison, advice.entry);
  advice.verify = verify_command(comparison);
  return advice;
}

}  // namespace offheap::ab
