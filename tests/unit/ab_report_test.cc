// SPDX-License-Identifier: Apache-2.0
//
// The forms of a comparison: JSON, text within its columns, a page that no name can break; and the rows
// file, whole, torn and damaged.
#include "ab/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "ab/timeline.h"
#include "ab_rows.h"
#include "render/sanitise.h"

namespace offheap::ab {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kHostile = "</script><b>\"'&\x1b[31m\n\xe2\x80\xae\xff";

Comparison example() {
  Comparison comparison;
  add_entry(comparison, "glibc", figures(600, 800, 5, 0));
  add_entry(comparison,
            "jemalloc:dirty_decay_ms=1000,muzzy_decay_ms=0,narenas=2,background_thread=true",
            figures(300, 800, 5, 1));
  add_entry(comparison, kHostile, figures(700, 900, 5, 2));
  fail(comparison, 2, {1, 2}, Outcome::kOomKilled);
  for (Row& row : comparison.rows) {
    for (int i = 0; i < 50; ++i)
      row.rss.push_back({i * 0.1, static_cast<Bytes>(i * kMi), static_cast<Bytes>(i * kMi)});
    if (row.outcome != Outcome::kDone) row.problem = kHostile + std::string(300, 'x');
  }
  comparison.provenance = {{"kernel", kHostile}, {"date", "2026-01-01"}};
  return comparison;
}

std::string rows_text(const Comparison& comparison) {
  std::string text = rows_header(comparison.entries, comparison.provenance) + "\n";
  for (const Row& row : comparison.rows)
    text += to_json(row).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  return text;
}

/// Code points between escape sequences.
std::size_t visible_width(std::string line) {
  for (auto at = line.find('\x1b'); at != std::string::npos; at = line.find('\x1b'))
    line.erase(at, line.find('m', at) - at + 1);
  return width_of(line);
}

TEST(AbReport, Text_FitsItsColumns) {
  for (const bool colours : {false, true}) {
    std::istringstream lines(comparison_text(example(), colours));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(visible_width(line), 100u) << line;
  }
}

TEST(AbReport, TextWithoutColours_HasNoEscapes) {
  const std::string text = comparison_text(example(), false);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_THAT(comparison_text(example(), true), Not(HasSubstr("\x1b[31m\n")));
}

TEST(AbReport, Text_SaysWhatToDoFirstAndShowsFailures) {
  const std::string text = comparison_text(example(), false);
  EXPECT_TRUE(text.starts_with("Switch to jemalloc")) << text;
  EXPECT_THAT(text, HasSubstr("2 of 5 oom-killed"));
  EXPECT_THAT(text, HasSubstr("RUNS THAT DID NOT FINISH"));
  EXPECT_THAT(text, HasSubstr("█"));
}

TEST(AbReport, WhatRunsNote_IsShownOncePerEntryAndCounted) {
  Comparison comparison = example();
  const std::string note = "no heap was found: live and free bytes are not known";
  for (Row& row : comparison.rows)
    if (row.entry == 1 && row.round > 2) row.notes.push_back(note);
  comparison.rows.front().notes.push_back(kHostile);
  const std::string text = comparison_text(comparison, false);
  EXPECT_THAT(text, HasSubstr("NOTES OF THE RUNS"));
  EXPECT_EQ(text.find(note), text.rfind(note)) << text;
  const auto noted = std::count_if(comparison.rows.begin(), comparison.rows.end(),
                                   [](const Row& row) { return row.entry == 1 && !row.notes.empty(); });
  const std::string html = comparison_html(comparison);
  EXPECT_THAT(html,
              HasSubstr("<td>" + std::to_string(noted) + " of 5</td><td class=\"hostile\">" + note));
  EXPECT_THAT(html, Not(HasSubstr("</script><b>")));
  EXPECT_THAT(comparison_text(example(), false), Not(HasSubstr("NOTES OF THE RUNS")));
}

TEST(AbReport, SameRows_SameBytes) {
  EXPECT_EQ(comparison_html(example()), comparison_html(example()));
  EXPECT_EQ(comparison_json(example()), comparison_json(example()));
}

TEST(AbReport, Json_KeepsTheContract) {
  const Json json = comparison_json(example());
  EXPECT_EQ(json.at("schema"), "offheap.ab/1");
  EXPECT_EQ(json.at("entries").size(), 3u);
  EXPECT_EQ(json.at("entries")[0].at("metrics").at("end_rss_bytes").at("runs"), 5);
  EXPECT_EQ(json.at("ratios").size(), 6u);
  EXPECT_EQ(json.at("recommendation").at("action"), "switch");
  EXPECT_EQ(json.at("rows").size(), 15u);
  EXPECT_EQ(json.at("provenance").at("date"), "2026-01-01");
}

TEST(AbReport, Html_CannotBeBrokenByNames) {
  const std::string html = comparison_html(example());
  EXPECT_THAT(html, Not(HasSubstr("</script><b>")));
  EXPECT_THAT(html, HasSubstr("&lt;/script&gt;&lt;b&gt;&quot;&#39;&amp;"));
  EXPECT_THAT(html, HasSubstr("\\u003c/script\\u003e"));
  EXPECT_EQ(html.find('\x1b'), std::string::npos);
  EXPECT_EQ(html.find("\xe2\x80\xae"), std::string::npos) << "turns the direction of writing";
  EXPECT_THAT(html, Not(HasSubstr("http:")));
  EXPECT_THAT(html, Not(HasSubstr("https:")));
}

TEST(AbReport, NothingCompared_IsSaid) {
  EXPECT_THAT(comparison_text({}, false), HasSubstr("no entry"));
  EXPECT_THAT(comparison_html({}), HasSubstr("No entry"));
  EXPECT_EQ(recommended_entry({}), "");
}

TEST(AbReport, MissingMetric_IsADash) {
  Comparison comparison = example();
  for (Row& row : comparison.rows)
    if (row.entry == 2) row.values.erase("end_rss_bytes");
  EXPECT_THAT(comparison_html(comparison),
              HasSubstr("data-entry-index=\"2\" data-metric=\"end_rss_bytes\">-</td>"));
}

TEST(AbTimeline, Thinned_KeepsThePeak) {
  Row row;
  for (int i = 0; i < 1000; ++i) row.rss.push_back({i * 0.01, i == 500 ? 9000u : 100u, 0});
  const auto points = thinned(row, false, 50);
  ASSERT_EQ(points.size(), 50u);
  EXPECT_EQ(std::max_element(points.begin(), points.end(),
                             [](const TimePoint& a, const TimePoint& b) { return a.bytes < b.bytes; })
                ->bytes,
            9000);
}

TEST(AbTimeline, Median_EndsWhereHalfTheRunsEnded) {
  Comparison comparison;
  add_entry(comparison, "glibc", {{"wall_seconds", {1, 2, 3}}});
  for (Row& row : comparison.rows) {
    for (std::size_t i = 0; i <= 10 * (row.round + 1); ++i)
      row.rss.push_back({static_cast<double>(i) * 0.1, 100 * (row.round + 1), 0});
  }
  const auto line = median_timeline(comparison, 0, false, 3, 30);
  ASSERT_EQ(line.size(), 21u) << "two of three run until second 2";
  EXPECT_EQ(line[5].bytes, 200);
  EXPECT_EQ(line[15].bytes, 250);
}

TEST(AbRows, WholeFile_ReadsBackTheSame) {
  Comparison comparison = example();
  comparison.entries[2] = "plain";
  for (Row& row : comparison.rows) {
    if (row.entry == 2) row.name = "plain";
    row.problem.clear();
  }
  comparison.provenance = {{"date", "2026-01-01"}};
  const auto read = read_rows(rows_text(comparison));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(comparison_json(*read), comparison_json(comparison));
}

TEST(AbRows, TornLastLine_IsCountedAndLeftOut) {
  const Comparison comparison = example();
  std::string text = rows_text(comparison);
  text.resize(text.size() - 20);
  const auto read = read_rows(text);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->rows.size(), comparison.rows.size() - 1);
  EXPECT_EQ(read->provenance.at("torn_lines"), 1);
  EXPECT_THAT(comparison_text(*read, false), HasSubstr("torn_lines 1"));
}

TEST(AbRows, DamageElsewhere_IsAnErrorWithItsLine) {
  std::string text = rows_text(example());
  const auto second = text.find('\n') + 1;
  text.insert(text.find('\n', second) + 1, "{\"entry\":1}\n");
  const auto read = read_rows(text);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().where, "line 3");
  EXPECT_EQ(read.error().code, ErrorCode::kUsage);
}

TEST(AbRows, ForeignOrEmptyFiles_AreRefused) {
  EXPECT_FALSE(read_rows("").ok());
  EXPECT_FALSE(read_rows("{\"schema\":\"offheap.explain/1\"}\n").ok());
  EXPECT_FALSE(read_rows("hello\n").ok());
  EXPECT_FALSE(read_rows(rows_header({"glibc"}, Json::object()) + "\n").ok()) << "no row";
}

TEST(AbRows, EntryThatIsNotInTheHeader_IsRefused) {
  std::string text = rows_header({"glibc"}, Json::object()) + "\n";
  EXPECT_FALSE(read_rows(text + to_json(row_of(1, "jemalloc", 0)).dump() + "\n").ok());
  EXPECT_FALSE(read_rows(text + to_json(row_of(0, "jemalloc", 0)).dump() + "\n").ok());
}

TEST(AbRows, WithoutHeader_EntriesAreNamedByTheirRows) {
  const auto read = read_rows(to_json(row_of(1, "jemalloc", 0)).dump() + "\n" +
                              to_json(row_of(0, "glibc", 0)).dump() + "\n");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->entries, (std::vector<std::string>{"glibc", "jemalloc"}));
}

}  // namespace
}  // namespace offheap::ab
