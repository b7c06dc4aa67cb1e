// SPDX-License-Identifier: Apache-2.0
//
// A comparison for the terminal: what to do, one line an entry, differences with bars, RSS over time.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "ab/figures.h"
#include "ab/recommend.h"
#include "ab/report.h"
#include "ab/summary.h"
#include "ab/timeline.h"
#include "render/page.h"
#include "render/sanitise.h"

namespace offheap::ab {
namespace {

constexpr std::size_t kColumns = 100;
constexpr std::size_t kNameColumns = 30;
constexpr std::size_t kShortNameColumns = 22;
constexpr std::size_t kBarSteps = 10;  ///< on each side of 1
constexpr std::size_t kChartColumns = 64;
constexpr std::size_t kChartRows = 3;
constexpr std::size_t kMostOverview = 4;

struct Report {
  const Comparison& comparison;
  const Summary summary = summarise(comparison);
  const Recommendation advice = recommend(comparison, summary);
  const bool colours;
  Page page{colours, kColumns};

  Report(const Comparison& rows, bool with_colours) : comparison(rows), colours(with_colours) {}
};

/// `text` in exactly `columns`, cut or padded; printf's width counts bytes, not characters.
std::string cell(std::string_view text, std::size_t columns, bool right = false) {
  const std::string clean = sanitise(text, columns);
  const std::string blanks(columns - std::min(columns, width_of(clean)), ' ');
  return right ? blanks + clean : clean + blanks;
}

/// Entries are lettered so that narrow columns stay unambiguous: A is the current one.
std::string lettered(const Report& report, std::size_t entry) {
  const std::string letter =
      entry < 26 ? std::string(1, static_cast<char>('A' + entry)) : std::to_string(entry);
  return letter + " " + report.comparison.entries[entry];
}

void add_list(Report& report, std::string_view title, const std::vector<std::string>& items) {
  std::string prefix = fmt::format("  {:<9} ", title);
  for (const std::string& item : items) {
    report.page.wrapped(prefix, item);
    prefix.assign(prefix.size(), ' ');
  }
}

void add_advice(Report& report) {
  const Recommendation& advice = report.advice;
  const std::string name = sanitise(report.comparison.entries[advice.entry], 60);
  const std::string headline = advice.entry == 0 ? "Stay with " + name : "Switch to " + name;
  report.page.line(advice.entry == 0 ? report.page.bold(headline) : report.page.green(headline));
  add_list(report, "why", {advice.reason});
  add_list(report, "better", advice.saves);
  add_list(report, "costs", advice.costs);
  add_list(report, "unknown", advice.cautions);
  std::vector<std::string> rejected;
  for (const Rejection& one : advice.rejected)
    rejected.push_back(report.comparison.entries[one.entry] + ": " + one.reason);
  add_list(report, "others", rejected);
  add_list(report, "setting", advice.setting);
  if (!advice.verify.empty()) add_list(report, "verify", {advice.verify});
}

/// The metrics of the overview: deciding ones that were measured, memory and speed in turn.
std::vector<std::string> overview_keys(const Report& report) {
  std::vector<std::string> keys = memory_keys(report.summary);
  for (const std::string_view key : {"throughput_per_second", "wall_seconds", "latency_p99_seconds",
                                     "cpu_seconds", "lock_wait_seconds"})
    keys.emplace_back(key);
  std::erase_if(keys, [&](const std::string& key) {
    return std::none_of(report.summary.measured.begin(), report.summary.measured.end(),
                        [&](const Metric& metric) { return metric.key == key; });
  });
  if (keys.size() > kMostOverview) keys.resize(kMostOverview);
  return keys;
}

void add_overview(Report& report) {
  const auto keys = overview_keys(report);
  report.page.heading("ENTRIES  medians of the runs that finished");
  std::string header = "  " + cell("", kNameColumns) + " " + cell("runs", 18);
  for (const std::string& key : keys) header += cell(title_of(key), 12, true);
  report.page.line(report.page.dim(header));
  for (std::size_t entry = 0; entry < report.summary.entries.size(); ++entry) {
    const EntrySummary& runs = report.summary.entries[entry];
    const std::string outcome = cell(format_outcomes(runs), 18);
    std::string line = "  " + cell(lettered(report, entry), kNameColumns) + " " +
                       (runs.failed() ? report.page.red(outcome) : outcome);
    for (const std::string& key : keys) {
      const auto value = report.summary.median_of(entry, key);
      line += cell(value ? format_value(key, *value) : "-", 12, true);
    }
    report.page.line(line);
  }
}

/// A ratio on a logarithmic axis with 1 in the middle: "  ├──●──┤  │         ". `span` is the logarithm
/// that the ends stand for.
std::string bar(const PairedRatio& paired, double span) {
  constexpr std::size_t kWidth = 2 * kBarSteps + 1;
  const auto place = [&](double ratio) {
    const double at = std::clamp(std::log(ratio) / span, -1.0, 1.0) * static_cast<double>(kBarSteps);
    return static_cast<std::size_t>(std::lround(at) + static_cast<long>(kBarSteps));
  };
  std::array<std::string_view, kWidth> cells;
  cells.fill(" ");
  cells[kBarSteps] = "│";
  if (paired.interval) {
    const std::size_t low = place(paired.interval->low);
    const std::size_t high = place(paired.interval->high);
    for (std::size_t i = low; i <= high; ++i) cells[i] = i == kBarSteps ? "┼" : "─";
    cells[low] = std::log(paired.interval->low) < -span ? "◄" : "├";
    cells[high] = std::log(paired.interval->high) > span ? "►" : "┤";
  }
  cells[place(paired.ratio)] = "●";
  std::string text;
  for (const std::string_view one : cells) text += one;
  return text;
}

/// The axis reaches over the detected differences, a quarter at least and a factor of 4 at most.
double bar_span(const Summary& summary) {
  double span = std::log(1.25);
  for (const RatioSummary& ratio : summary.ratios)
    if (ratio.detected()) span = std::max(span, 1.1 * std::abs(std::log(ratio.paired.ratio)));
  return std::min(span, std::log(4.0));
}

std::string median_text(const Summary& summary, std::size_t entry, const std::string& key) {
  const auto found = summary.entries[entry].metrics.find(key);
  if (found == summary.entries[entry].metrics.end()) return "-";
  std::string text = cell(format_value(key, found->second.median), 11, true);
  if (const auto& interval = found->second.interval)
    text +=
        fmt::format(" [{} .. {}]", format_value(key, interval->low), format_value(key, interval->high));
  return text;
}

void add_ratio(Report& report, const RatioSummary& ratio, double span) {
  std::string change = cell(format_ratio(ratio), 31);
  if (ratio.detected()) change = is_better(ratio) ? report.page.green(change) : report.page.red(change);
  report.page.line(
      "    " + cell(lettered(report, ratio.entry), kShortNameColumns) + " " +
      cell(format_value(ratio.key, report.summary.median_of(ratio.entry, ratio.key).value_or(0)), 11,
           true) +
      "  " + change + " " + bar(ratio.paired, span));
}

/// Metrics that decide are always shown, others where they differ.
bool deserves_lines(const Summary& summary, std::string_view key) {
  if (std::find(kDecidingMetrics.begin(), kDecidingMetrics.end(), key) != kDecidingMetrics.end())
    return true;
  return std::any_of(summary.ratios.begin(), summary.ratios.end(),
                     [&](const RatioSummary& ratio) { return ratio.key == key && ratio.detected(); });
}

void add_metric(Report& report, const Metric& metric, double span) {
  const std::string key(metric.key);
  report.page.line("  " + cell(metric.title, 24) + " " + median_text(report.summary, 0, key));
  for (const RatioSummary& ratio : report.summary.ratios)
    if (ratio.key == key) add_ratio(report, ratio, span);
}

void add_differences(Report& report) {
  if (report.summary.ratios.empty()) return;
  const double span = bar_span(report.summary);
  report.page.heading(fmt::format(
      "DIFFERENCES  against {}, within rounds; all {} intervals hold together with {:.0f} %",
      sanitise(report.comparison.entries[0], 24), report.summary.judged_count, kConfidence * 100));
  const std::string low = fmt::format("{:.2f}", std::exp(-span));
  const std::string high = fmt::format("{:.2f}", std::exp(span));
  report.page.line(
      report.page.dim(std::string(72, ' ') + cell(low, kBarSteps) + "1" + cell(high, kBarSteps, true)));
  std::string quiet;
  for (const Metric& metric : report.summary.measured) {
    if (deserves_lines(report.summary, metric.key)) {
      add_metric(report, metric, span);
    } else if (metric.better != Better::kNeither) {
      quiet += (quiet.empty() ? "" : ", ") + std::string(metric.title);
    }
  }
  if (!quiet.empty()) report.page.wrapped("  none detected in: ", quiet);
}

/// One entry's line as rows of blocks, top first; `most` is the top of the axis.
std::array<std::string, kChartRows> blocks(const std::vector<TimePoint>& line, double most) {
  constexpr std::array<std::string_view, 9> kBlocks = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::array<std::string, kChartRows> rows;
  for (const TimePoint& point : line) {
    const auto eighths =
        static_cast<std::size_t>(std::lround(point.bytes / most * static_cast<double>(8 * kChartRows)));
    for (std::size_t row = 0; row < kChartRows; ++row) {
      const std::size_t below = 8 * (kChartRows - 1 - row);
      rows[row] += kBlocks[std::clamp<std::size_t>(eighths, below, below + 8) - below];
    }
  }
  return rows;
}

void add_chart(Report& report) {
  const double end = longest_seconds(report.comparison);
  std::vector<std::vector<TimePoint>> lines;
  double most = 0;
  for (std::size_t entry = 0; entry < report.comparison.entries.size(); ++entry) {
    lines.push_back(
        median_timeline(report.comparison, entry, report.summary.has_children, end, kChartColumns - 1));
    for (const TimePoint& point : lines.back()) most = std::max(most, point.bytes);
  }
  if (end <= 0 || most <= 0) return;
  report.page.heading(fmt::format("RSS OVER TIME  {}median of runs; height {}, width {}",
                                  report.summary.has_children ? "with children, " : "",
                                  format_value("peak_rss_bytes", most),
                                  format_value("wall_seconds", end)));
  for (std::size_t entry = 0; entry < lines.size(); ++entry) {
    const auto rows = blocks(lines[entry], most);
    for (std::size_t row = 0; row < kChartRows; ++row) {
      const std::string name = row + 1 == kChartRows ? lettered(report, entry) : "";
      report.page.line("  " + cell(name, kNameColumns) + " │" + rows[row]);
    }
  }
}

void add_problems(Report& report) {
  bool first = true;
  for (const Row& row : report.comparison.rows) {
    if (row.outcome == Outcome::kDone) continue;
    if (first) report.page.heading("RUNS THAT DID NOT FINISH");
    first = false;
    const std::string code = row.code ? fmt::format(" {}", *row.code) : "";
    report.page.wrapped(
        "  ",
        fmt::format("{}, {} {}: {}{}{}{}", row.name, row.warm_up ? "warm-up" : "round", row.round,
                    outcome_name(row.outcome), code, row.problem.empty() ? "" : ": ", row.problem));
  }
}

void add_remarks(Report& report) {
  const std::vector<Remark> remarks = remarks_of(report.comparison);
  if (remarks.empty()) return;
  report.page.heading("NOTES OF THE RUNS");
  for (const Remark& remark : remarks)
    report.page.wrapped(
        "  ", fmt::format("{}, {} of {}: {}", lettered(report, remark.entry), remark.run_count,
                          report.summary.entries[remark.entry].run_count, remark.text));
}

/// What a figure depends on; the rest is in the JSON and the picture.
void add_provenance(Report& report) {
  std::string text;
  for (const char* key :
       {"date", "kernel", "cpu_model", "cpu_count", "cpu_quota", "thp", "libc", "torn_lines"}) {
    const auto found = report.comparison.provenance.find(key);
    if (found == report.comparison.provenance.end() || found->is_null()) continue;
    const std::string value = found->is_string()
                                  ? found->get<std::string>()
                                  : found->dump(-1, ' ', false, Json::error_handler_t::replace);
    text += fmt::format("{}{} {}", text.empty() ? "" : "; ", key, value);
  }
  if (text.empty()) return;
  report.page.heading("PROVENANCE");
  report.page.wrapped("  ", text);
}

}  // namespace

std::string comparison_text(const Comparison& comparison, bool colours) {
  if (comparison.entries.empty()) return "no entry was compared\n";
  Report report(comparison, colours);
  add_advice(report);
  add_overview(report);
  add_differences(report);
  add_chart(report);
  add_problems(report);
  add_remarks(report);
  add_provenance(report);
  return report.page.take();
}

}  // namespace offheap::ab
