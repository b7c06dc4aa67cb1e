// SPDX-License-Identifier: Apache-2.0
//
// A comparison as one file for the browser: charts, tables, where the figures come from, and the raw
// rows.
#include <fmt/format.h>

#include <algorithm>

#include "ab/figures.h"
#include "ab/html_charts.h"
#include "ab/html_page.h"
#include "ab/recommend.h"
#include "ab/report.h"
#include "ab/summary.h"
#include "ab/timeline.h"

namespace offheap::ab {
namespace {

constexpr std::string_view kPolicy =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

struct Picture {
  const Comparison& comparison;
  Summary summary = summarise(comparison);
  Recommendation advice = recommend(comparison, summary);
  std::string html;

  explicit Picture(const Comparison& rows) : comparison(rows) {}
};

/// JSON that may stand in a script element: no character of it can end the element or start a comment.
std::string script_json(const Json& json) {
  std::string safe;
  for (const char c : json.dump(-1, ' ', true, Json::error_handler_t::replace)) {
    switch (c) {
      case '<':
        safe += "\\u003c";
        break;
      case '>':
        safe += "\\u003e";
        break;
      case '&':
        safe += "\\u0026";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string key_mark(std::size_t entry) {
  return fmt::format(R"(<span class="key" style="background:{}"></span>)", colour_of(entry));
}

void add_term(std::string_view title, const std::vector<std::string>& items, Picture& picture) {
  if (items.empty()) return;
  picture.html += fmt::format("<dt>{}</dt><dd>", title);
  for (const std::string& item : items) picture.html += fmt::format("<div>{}</div>", html_text(item));
  picture.html += "</dd>";
}

void add_advice(Picture& picture) {
  const Recommendation& advice = picture.advice;
  const bool stay = advice.entry == 0;
  picture.html +=
      fmt::format(R"(<section class="advice{}" id="advice"><h1>{} {}</h1><p>{}</p><dl>)",
                  stay ? "" : " switch", stay ? "Stay with" : "Switch to",
                  html_text(picture.comparison.entries[advice.entry]), html_text(advice.reason));
  add_term("better", advice.saves, picture);
  add_term("costs", advice.costs, picture);
  add_term("unknown", advice.cautions, picture);
  std::vector<std::string> rejected;
  for (const Rejection& one : advice.rejected)
    rejected.push_back(picture.comparison.entries[one.entry] + ": " + one.reason);
  add_term("others", rejected, picture);
  if (!advice.setting.empty()) {
    picture.html += "<dt>setting</dt><dd><pre>";
    for (const std::string& line : advice.setting) picture.html += html_text(line) + "\n";
    picture.html += "</pre></dd>";
  }
  if (!advice.verify.empty())
    picture.html += fmt::format("<dt>verify</dt><dd><code>{}</code></dd>", html_text(advice.verify));
  picture.html += "</dl></section>";
}

void add_charts(Picture& picture) {
  const std::string rss = rss_chart(picture.comparison, picture.summary);
  if (!rss.empty()) {
    picture.html += fmt::format(
        R"(<h2>RSS over time</h2><p class="soft">{}Each run thin, the median of an entry's runs bold. )"
        R"(A run that did not finish is dashed and ends in a cross.</p><div class="card"><div class="legend">)",
        picture.summary.has_children ? "The process with its children. " : "");
    for (std::size_t entry = 0; entry < picture.comparison.entries.size(); ++entry)
      picture.html += fmt::format(R"(<label><input type="checkbox" checked value="{}">{}{}</label>)",
                                  entry, key_mark(entry), html_text(picture.comparison.entries[entry]));
    picture.html += "</div>" + rss + "</div>";
  }
  const std::string ratios = ratio_chart(picture.summary);
  if (ratios.empty()) return;
  picture.html += fmt::format(
      R"(<h2>Differences from {}</h2><p class="soft">Runs of the same round are compared; dot: median ratio. )"
      R"(All {} intervals hold together with {:.0f} %. An interval that reaches the middle line: no difference )"
      R"(detected, and in brackets the smallest that these runs could have shown.</p><div class="card">{}</div>)",
      html_text(picture.comparison.entries[0]), picture.summary.judged_count, kConfidence * 100,
      ratios);
}

std::string cell_of(const Summary& summary, std::size_t entry, const Metric& metric) {
  const std::string key(metric.key);
  const auto found = summary.entries[entry].metrics.find(key);
  if (found == summary.entries[entry].metrics.end())
    return fmt::format(R"(<td data-entry-index="{}" data-metric="{}">-</td>)", entry, key);
  const Estimate& estimate = found->second;
  const RatioSummary* ratio = summary.ratio(entry, key);
  const std::string style = ratio == nullptr || !ratio->detected() ? ""
                            : is_better(*ratio)                    ? "better"
                                                                   : "worse";
  std::string cell =
      fmt::format(R"(<td data-entry-index="{}" data-metric="{}" data-median="{}" class="{}">{})", entry,
                  key, estimate.median, style, format_value(key, estimate.median));
  if (estimate.interval)
    cell += fmt::format("<small>{} .. {}</small>", format_value(key, estimate.interval->low),
                        format_value(key, estimate.interval->high));
  return cell + "</td>";
}

void add_table(Picture& picture) {
  const Summary& summary = picture.summary;
  picture.html +=
      R"(<h2>Figures</h2><p class="soft">Medians of the runs that finished, with their 95 % intervals.</p>)"
      R"(<div class="card"><table id="figures"><thead><tr><th></th>)";
  for (std::size_t entry = 0; entry < summary.entries.size(); ++entry)
    picture.html +=
        fmt::format("<th>{}{}</th>", key_mark(entry), html_text(summary.entries[entry].name));
  picture.html += "</tr></thead><tbody><tr><td>runs</td>";
  for (const EntrySummary& entry : summary.entries)
    picture.html += fmt::format(R"(<td class="{}">{}</td>)", entry.failed() ? "failed" : "",
                                html_text(format_outcomes(entry)));
  picture.html += "</tr>";
  for (const Metric& metric : summary.measured) {
    picture.html += fmt::format("<tr><td>{}</td>", html_text(metric.title));
    for (std::size_t entry = 0; entry < summary.entries.size(); ++entry)
      picture.html += cell_of(summary, entry, metric);
    picture.html += "</tr>";
  }
  picture.html += "</tbody></table></div>";
}

void add_problems(Picture& picture) {
  const auto& rows = picture.comparison.rows;
  if (std::all_of(rows.begin(), rows.end(),
                  [](const Row& row) { return row.outcome == Outcome::kDone; }))
    return;
  picture.html += R"(<h2>Runs that did not finish</h2><div class="card"><table id="problems"><tbody>)";
  for (const Row& row : rows) {
    if (row.outcome == Outcome::kDone) continue;
    picture.html += fmt::format(
        R"(<tr><td>{}{}</td><td>{} {}</td><td class="failed">{}{}</td><td class="hostile">{}</td></tr>)",
        key_mark(row.entry), html_text(row.name), row.warm_up ? "warm-up" : "round", row.round,
        outcome_name(row.outcome), row.code ? fmt::format(" {}", *row.code) : "",
        html_text(row.problem));
  }
  picture.html += "</tbody></table></div>";
}

void add_remarks(Picture& picture) {
  const std::vector<Remark> remarks = remarks_of(picture.comparison);
  if (remarks.empty()) return;
  picture.html += R"(<h2>Notes of the runs</h2><div class="card"><table id="notes"><tbody>)";
  for (const Remark& remark : remarks)
    picture.html += fmt::format(
        R"(<tr><td>{}{}</td><td>{} of {}</td><td class="hostile">{}</td></tr>)", key_mark(remark.entry),
        html_text(picture.summary.entries[remark.entry].name), remark.run_count,
        picture.summary.entries[remark.entry].run_count, html_text(remark.text));
  picture.html += "</tbody></table></div>";
}

void add_provenance(Picture& picture) {
  picture.html +=
      R"(<h2>Where the figures come from</h2><div class="card"><table id="provenance"><tbody>)";
  for (const auto& [key, value] : picture.comparison.provenance.items()) {
    const std::string text = value.is_string()
                                 ? value.get<std::string>()
                                 : value.dump(-1, ' ', false, Json::error_handler_t::replace);
    picture.html += fmt::format(R"(<tr><td>{}</td><td class="hostile">{}</td></tr>)", html_text(key),
                                html_text(text));
  }
  picture.html += fmt::format(
      "<tr><td>runs</td><td style=\"text-align:left\">{}, and {} to warm up</td></tr>",
      picture.comparison.rows.size() - picture.summary.warm_up_count, picture.summary.warm_up_count);
  picture.html += "</tbody></table></div>";
}

/// What the script shows, and the whole comparison for whoever wants to compute on it.
void add_data(Picture& picture) {
  const double seconds = longest_seconds(picture.comparison);
  Json medians{{"steps", kMedianSteps}, {"entries", Json::array()}};
  for (std::size_t entry = 0; entry < picture.comparison.entries.size(); ++entry) {
    Json bytes = Json::array();
    for (const TimePoint& point : median_timeline(picture.comparison, entry,
                                                  picture.summary.has_children, seconds, kMedianSteps))
      bytes.push_back(point.bytes);
    medians["entries"].push_back({{"name", picture.comparison.entries[entry]}, {"bytes", bytes}});
  }
  picture.html +=
      fmt::format(R"(<script type="application/json" id="medians">{}</script>)", script_json(medians));
  picture.html += fmt::format(R"(<script type="application/json" id="comparison">{}</script>)",
                              script_json(comparison_json(picture.comparison)));
}

}  // namespace

std::string comparison_html(const Comparison& comparison) {
  Picture picture(comparison);
  picture.html = fmt::format(
      R"(<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{}">)"
      R"(<meta name="viewport" content="width=device-width,initial-scale=1"><title>offheap ab</title><style>{}</style></head><body><main>)",
      kPolicy, kPageStyle);
  if (comparison.entries.empty()) {
    picture.html += "<h1>No entry was compared</h1>";
  } else {
    add_advice(picture);
    add_charts(picture);
    add_table(picture);
    add_problems(picture);
    add_remarks(picture);
    add_provenance(picture);
  }
  add_data(picture);
  picture.html += fmt::format(R"(</main><div id="tip" hidden></div><script>{}</script></body></html>)",
                              kPageScript);
  picture.html += "\n";
  return std::move(picture.html);
}

}  // namespace offheap::ab
