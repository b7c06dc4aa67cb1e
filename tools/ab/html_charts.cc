// SPDX-License-Identifier: Apache-2.0
#include "ab/html_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ab/figures.h"
#include "ab/timeline.h"
#include "render/sanitise.h"

namespace offheap::ab {
namespace {

constexpr std::size_t kColours = 8;
constexpr std::size_t kPointsOfRun = 400;
constexpr double kMiB = 1024.0 * 1024.0;
constexpr double kChartWidth = 1020;
constexpr double kShortestSeconds = 1e-3;  ///< there is nothing to draw of a shorter run

/// Where a chart draws, in units of its viewBox.
struct Plot {
  double left, top, width, height;
  double most_x, most_y;

  [[nodiscard]] double x(double value) const { return left + width * value / most_x; }
  [[nodiscard]] double y(double value) const { return top + height * (1 - value / most_y); }
};

std::string label(double x, double y, std::string_view anchor, std::string_view text,
                  std::string_view style = "") {
  return fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="{}"{}>{}</text>)", x, y, anchor,
                     style.empty() ? "" : fmt::format(R"( class="{}")", style), html_text(text));
}

std::string straight(double x1, double y1, double x2, double y2, std::string_view attributes) {
  return fmt::format(R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" {}/>)", x1, y1, x2, y2,
                     attributes);
}

std::string path_of(const std::vector<TimePoint>& points, const Plot& plot) {
  std::string path;
  for (const TimePoint& point : points)
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", plot.x(point.seconds),
                        plot.y(point.bytes));
  return path;
}

/// 1, 2 or 5 times a power of ten, so that at most `most_ticks` fit.
double decimal_step(double range, double most_ticks) {
  const double rough = range / most_ticks;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough) return factor * power;
  return 10 * power;
}

/// A power of two bytes, for the same reason as memory is sold by it.
double binary_step(double range, double most_ticks) {
  return std::exp2(std::ceil(std::log2(range / most_ticks)));
}

std::string byte_tick(double bytes) {
  std::string text = format_value("peak_rss_bytes", bytes);
  const auto zero = text.find(".0 ");
  return zero == std::string::npos ? text : text.erase(zero, 2);
}

std::string grid_of(const Plot& plot) {
  std::string svg;
  const double step_y = binary_step(plot.most_y, 6);
  for (double bytes = 0; bytes <= plot.most_y * 1.0001; bytes += step_y) {
    svg += straight(plot.left, plot.y(bytes), plot.left + plot.width, plot.y(bytes), R"(class="grid")");
    svg += label(plot.left - 8, plot.y(bytes) + 4, "end", byte_tick(bytes));
  }
  const double step_x = decimal_step(plot.most_x, 8);
  for (int i = 0; i * step_x <= plot.most_x * 1.0001; ++i)
    svg += label(plot.x(i * step_x), plot.top + plot.height + 20, "middle",
                 fmt::format("{:.6g} s", i * step_x));
  return svg;
}

std::string run_path(const Row& row, const Plot& plot, bool tree) {
  const auto points = thinned(row, tree, kPointsOfRun);
  if (points.empty()) return {};
  const bool failed = row.outcome != Outcome::kDone;
  std::string svg = fmt::format(R"(<path class="run{}" stroke="{}" d="{}"/>)", failed ? " failed" : "",
                                colour_of(row.entry), path_of(points, plot));
  if (!failed) return svg;
  const double x = plot.x(points.back().seconds);
  const double y = plot.y(points.back().bytes);
  const std::string style = fmt::format(R"(class="end" stroke="{}")", colour_of(row.entry));
  svg += fmt::format(
      "<g><title>{}</title>{}{}</g>",
      html_text(fmt::format("{}, round {}: {}", row.name, row.round, outcome_name(row.outcome))),
      straight(x - 5, y - 5, x + 5, y + 5, style), straight(x - 5, y + 5, x + 5, y - 5, style));
  return svg;
}

/// The axis of ratios: from 1/reach to reach, so that detected differences fit.
double reach_of(const Summary& summary) {
  double span = std::log(1.25);
  for (const RatioSummary& ratio : summary.ratios)
    if (ratio.detected()) span = std::max(span, 1.15 * std::abs(std::log(ratio.paired.ratio)));
  return std::exp(std::min(span, std::log(8.0)));
}

struct RatioAxis {
  double left = 330, width = 420, reach = 2;

  /// Of a ratio, kept within the axis.
  [[nodiscard]] double x(double ratio) const {
    const double at = std::clamp(std::log(ratio) / std::log(reach), -1.0, 1.0);
    return left + width * (at + 1) / 2;
  }
};

std::string ratio_row(const Summary& summary, const RatioSummary& ratio, const RatioAxis& axis,
                      double y) {
  const std::string colour = colour_of(ratio.entry);
  std::string svg =
      fmt::format(R"(<g class="ratio" data-entry="{}" data-metric="{}">)", ratio.entry, ratio.key);
  svg += label(24, y + 4, "start", sanitise(summary.entries[ratio.entry].name, 44), "name");
  const std::string faded = ratio.detected() ? "" : " none";
  if (ratio.paired.interval) {
    svg += straight(axis.x(ratio.paired.interval->low), y, axis.x(ratio.paired.interval->high), y,
                    fmt::format(R"(class="whisker{}" stroke="{}")", faded, colour));
  }
  svg += fmt::format(R"(<circle class="dot{}" cx="{:.1f}" cy="{:.1f}" r="5" fill="{}"/>)", faded,
                     axis.x(ratio.paired.ratio), y, colour);
  const std::string style = !ratio.detected() ? "" : is_better(ratio) ? "better" : "worse";
  svg += label(axis.left + axis.width + 16, y + 4, "start", format_ratio(ratio), style);
  return svg + "</g>";
}

}  // namespace

std::string html_text(std::string_view text) {
  std::string result;
  for (const char c : sanitise(text)) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string colour_of(std::size_t entry) { return fmt::format("var(--e{})", entry % kColours); }

std::string rss_chart(const Comparison& comparison, const Summary& summary) {
  const double seconds = longest_seconds(comparison);
  double most = 0;
  for (const Row& row : comparison.rows) {
    if (row.warm_up) continue;
    for (const RssPoint& point : row.rss)
      most = std::max(
          most, static_cast<double>(summary.has_children ? point.tree_rss_bytes : point.rss_bytes));
  }
  if (seconds < kShortestSeconds || most <= 0) return {};
  const Plot plot{84, 12, kChartWidth - 84 - 16, 320, seconds, std::max(most * 1.04, kMiB)};
  std::string svg = fmt::format(
      R"(<svg id="rss" viewBox="0 0 {} {}" role="img" aria-label="RSS over time" data-left="{}" data-width="{}" data-seconds="{}">)",
      kChartWidth, plot.top + plot.height + 30, plot.left, plot.width, seconds);
  svg += grid_of(plot);
  for (std::size_t entry = 0; entry < comparison.entries.size(); ++entry) {
    svg += fmt::format(R"(<g class="entry" data-entry="{}">)", entry);
    for (const Row& row : comparison.rows)
      if (row.entry == entry && !row.warm_up) svg += run_path(row, plot, summary.has_children);
    const auto line = median_timeline(comparison, entry, summary.has_children, seconds, kMedianSteps);
    if (!line.empty())
      svg += fmt::format(R"(<path class="median" stroke="{}" d="{}"/>)", colour_of(entry),
                         path_of(line, plot));
    svg += "</g>";
  }
  svg += straight(0, plot.top, 0, plot.top + plot.height, R"(id="cross" hidden="")");
  return svg + "</svg>";
}

std::string ratio_chart(const Summary& summary) {
  constexpr double kMetricHeight = 30;
  constexpr double kEntryHeight = 22;
  RatioAxis axis;
  axis.reach = reach_of(summary);
  std::string rows;
  double y = 34;
  for (const Metric& metric : summary.measured) {
    if (metric.better == Better::kNeither) continue;
    const auto is_row = [&](const RatioSummary& ratio) { return ratio.key == metric.key; };
    if (std::none_of(summary.ratios.begin(), summary.ratios.end(), is_row)) continue;
    rows += label(8, y, "start", metric.title, "metric");
    y += kEntryHeight - 2;
    for (const RatioSummary& ratio : summary.ratios) {
      if (!is_row(ratio)) continue;
      rows += ratio_row(summary, ratio, axis, y);
      y += kEntryHeight;
    }
    y += kMetricHeight - kEntryHeight;
  }
  if (rows.empty()) return {};
  std::string svg = fmt::format(
      R"(<svg id="ratios" viewBox="0 0 {} {:.0f}" role="img" aria-label="Ratios">)", kChartWidth, y);
  for (const double part : {-1.0, -0.5, 0.0, 0.5, 1.0}) {
    const double ratio = std::pow(axis.reach, part);
    svg += straight(axis.x(ratio), 20, axis.x(ratio), y - 8,
                    part == 0 ? R"(class="axis")" : R"(class="grid")");
    svg += label(axis.x(ratio), 12, "middle", part == 0 ? "same" : format_change(ratio));
  }
  return svg + rows + "</svg>";
}

}  // namespace offheap::ab
