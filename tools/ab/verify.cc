// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "ab/figures.h"
#include "ab/recommend.h"
#include "ab/report.h"
#include "ab/summary.h"
#include "render/sanitise.h"

namespace offheap::ab {
namespace {

/// A ratio of `summary` for the entry called `name`, in words; "not measured" where there is none.
std::string ratio_text(const Summary& summary, const std::string& name, const std::string& key) {
  for (const RatioSummary& ratio : summary.ratios)
    if (summary.entries[ratio.entry].name == name && ratio.key == key) return format_ratio(ratio);
  return "not measured";
}

std::string outcomes_text(const Summary& summary, const std::string& name) {
  for (const EntrySummary& entry : summary.entries)
    if (entry.name == name) return format_outcomes(entry);
  return "not run";
}

std::string advice_text(const Comparison& comparison, const Recommendation& advice) {
  if (comparison.entries.empty()) return "nothing was run";
  return sanitise(fmt::format("{} {}: {}", advice.entry == 0 ? "stay with" : "switch to",
                              comparison.entries[advice.entry], advice.reason));
}

}  // namespace

Verification verify_finding(const Comparison& before, const Comparison& after) {
  const Summary old_summary = summarise(before);
  const Summary new_summary = summarise(after);
  const Recommendation old_advice = recommend(before, old_summary);
  const Recommendation new_advice = recommend(after, new_summary);
  Verification verification;
  const bool same_current =
      !before.entries.empty() && !after.entries.empty() && before.entries[0] == after.entries[0];
  verification.held = same_current && recommended_entry(before) == recommended_entry(after);
  std::string& text = verification.text;
  text += fmt::format("before  {}\n", advice_text(before, old_advice));
  text += fmt::format("now     {}\n", advice_text(after, new_advice));
  if (old_advice.entry != 0) {
    const std::string& chosen = before.entries[old_advice.entry];
    text += fmt::format("runs    {}: {}; now {}\n", sanitise(chosen),
                        outcomes_text(old_summary, chosen), outcomes_text(new_summary, chosen));
    for (const std::string_view key : kDecidingMetrics) {
      const std::string was = ratio_text(old_summary, chosen, std::string(key));
      const std::string is = ratio_text(new_summary, chosen, std::string(key));
      if (was != "not measured" || is != "not measured")
        text += fmt::format("        {}: {}; now {}\n", title_of(key), was, is);
    }
  }
  if (!same_current) text += "The two comparisons do not start from the same entry.\n";
  text += verification.held ? "The finding holds.\n" : "The finding does not hold.\n";
  return verification;
}

}  // namespace offheap::ab
