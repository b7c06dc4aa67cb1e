// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "ab/figures.h"
#include "ab/recommend.h"
#include "ab/report.h"
#include "ab/summary.h"

namespace offheap::ab {
namespace {

std::string_view difference_name(Difference difference) {
  switch (difference) {
    case Difference::kNotJudged:
      return "not-judged";
    case Difference::kTooFewRuns:
      return "too-few-runs";
    case Difference::kNone:
      return "none";
    case Difference::kTooSmall:
      return "too-small";
    case Difference::kLower:
      return "lower";
    case Difference::kHigher:
      return "higher";
  }
  return "";
}

Json interval_json(const std::optional<Interval>& interval) {
  return interval ? Json::array({interval->low, interval->high}) : Json(nullptr);
}

Json entry_json(const EntrySummary& entry) {
  Json outcomes = Json::object();
  for (const auto& [outcome, count] : entry.outcomes)
    outcomes[std::string(outcome_name(outcome))] = count;
  Json values = Json::object();
  for (const auto& [key, estimate] : entry.metrics) {
    values[key] = {{"median", estimate.median},
                   {"interval", interval_json(estimate.interval)},
                   {"runs", estimate.count}};
  }
  return {{"name", entry.name},
          {"runs", entry.run_count},
          {"done", entry.done_count},
          {"outcomes", outcomes},
          {"metrics", values}};
}

Json ratio_json(const Summary& summary, const RatioSummary& ratio) {
  const auto detectable = ratio.paired.detectable();
  return {{"entry", summary.entries[ratio.entry].name},
          {"metric", ratio.key},
          {"pairs", ratio.paired.pairs},
          {"ratio", ratio.paired.ratio},
          {"interval", interval_json(ratio.paired.interval)},
          {"change", ratio.change},
          {"difference", difference_name(ratio.difference)},
          {"detectable_ratio", detectable ? Json(*detectable) : Json(nullptr)}};
}

Json recommendation_json(const Summary& summary, const Recommendation& advice) {
  Json rejected = Json::array();
  for (const Rejection& one : advice.rejected)
    rejected.push_back({{"entry", summary.entries[one.entry].name}, {"reason", one.reason}});
  return {{"action", advice.entry == 0 ? "stay" : "switch"},
          {"entry", summary.entries.empty() ? Json(nullptr) : Json(summary.entries[advice.entry].name)},
          {"reason", advice.reason},
          {"decided_by", advice.decided_by.empty() ? Json(nullptr) : Json(advice.decided_by)},
          {"saves", advice.saves},
          {"costs", advice.costs},
          {"cautions", advice.cautions},
          {"rejected", rejected},
          {"setting", advice.setting},
          {"verify", advice.verify.empty() ? Json(nullptr) : Json(advice.verify)}};
}

}  // namespace

Json comparison_json(const Comparison& comparison) {
  const Summary summary = summarise(comparison);
  Json json{{"schema", "offheap.ab/1"},
            {"provenance", comparison.provenance},
            {"confidence", kConfidence},
            {"judged_ratios", summary.judged_count},
            {"recommendation", recommendation_json(summary, recommend(comparison, summary))},
            {"entries", Json::array()},
            {"ratios", Json::array()},
            {"rows", Json::array()}};
  for (const EntrySummary& entry : summary.entries) json["entries"].push_back(entry_json(entry));
  for (const RatioSummary& ratio : summary.ratios) json["ratios"].push_back(ratio_json(summary, ratio));
  for (const Row& row : comparison.rows) json["rows"].push_back(to_json(row));
  return json;
}

std::string recommended_entry(const Comparison& comparison) {
  const Recommendation advice = recommend(comparison, summarise(comparison));
  return advice.entry == 0 ? "" : comparison.entries[advice.entry];
}

}  // namespace offheap::ab
