// SPDX-License-Identifier: Apache-2.0
//
// Statistics of a handful of runs, and what a summary makes of rows.
#include "ab/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ab/summary.h"
#include "ab_rows.h"

namespace offheap::ab {
namespace {

TEST(AbStatistics, Median_OfEvenCount_IsTheMiddleOfTwo) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
  EXPECT_EQ(median({7}), 7);
}

TEST(AbStatistics, StudentInterval_OfKnownValues_IsTheTextbooks) {
  const Interval interval = student_interval({1, 2, 3, 4, 5}, 0.95);
  EXPECT_NEAR(interval.low, 3 - 2.776445 * std::sqrt(2.5 / 5), 1e-4);
  EXPECT_NEAR(interval.high, 3 + 2.776445 * std::sqrt(2.5 / 5), 1e-4);
}

TEST(AbStatistics, Bootstrap_OfFewValues_IsAllOfThem) {
  const Interval interval = bootstrap_interval({5, 1, 3}, 0.95);
  EXPECT_EQ(interval.low, 1);
  EXPECT_EQ(interval.high, 5);
}

TEST(AbStatistics, Estimate_OfTheSameValues_IsTheSame) {
  const std::vector<double> values{3, 1, 4, 1.5, 9, 2.6};
  const Estimate first = estimate_median(values, 0.95);
  const Estimate second = estimate_median(values, 0.95);
  EXPECT_EQ(first.interval->low, second.interval->low);
  EXPECT_EQ(first.interval->high, second.interval->high);
  EXPECT_TRUE(first.interval->holds(first.median));
}

TEST(AbStatistics, Estimate_OfTwoValues_HasNoInterval) {
  EXPECT_FALSE(estimate_median({1, 2}, 0.95).interval);
  EXPECT_FALSE(paired_ratio({{1, 2}, {1, 2}}, 0.95).interval);
}

TEST(AbStatistics, Estimate_WithOutlier_KeepsItsMedian) {
  const Estimate estimate = estimate_median({100, 101, 99, 150, 100}, 0.95);
  EXPECT_EQ(estimate.median, 100);
  EXPECT_GT(estimate.interval->high, 110) << "one run in five was half as much again";
}

TEST(AbStatistics, PairedRatio_OfDriftingRounds_IsExact) {
  const PairedRatio paired = paired_ratio({{100, 50}, {200, 100}, {400, 200}, {50, 25}}, 0.95);
  EXPECT_NEAR(paired.ratio, 0.5, 1e-12);
  EXPECT_NEAR(paired.interval->low, 0.5, 1e-9);
  EXPECT_NEAR(*paired.detectable(), 1, 1e-9);
}

TEST(AbStatistics, PairedRatio_OfExtremeValues_StaysANumber) {
  const PairedRatio paired = paired_ratio({{1e-300, 1e300}, {1e300, 1e-300}, {1, 1}}, 0.999);
  EXPECT_TRUE(std::isfinite(paired.interval->low));
  EXPECT_TRUE(std::isfinite(paired.interval->high));
}

TEST(AbSummary, CpuSeconds_IsUserAndSystem) {
  Row row;
  row.values = {{"user_seconds", 1.5}, {"system_seconds", 0.25}};
  EXPECT_EQ(values_of(row).at("cpu_seconds"), 1.75);
}

TEST(AbSummary, HalfTheMemory_IsLower) {
  Comparison comparison;
  add_entry(comparison, "glibc", figures(600, 800, 5, 0));
  add_entry(comparison, "jemalloc", figures(300, 800, 5, 1));
  const Summary summary = summarise(comparison);
  const RatioSummary* end = summary.ratio(1, "end_rss_bytes");
  ASSERT_NE(end, nullptr);
  EXPECT_EQ(end->difference, Difference::kLower);
  EXPECT_NEAR(end->paired.ratio, 0.5, 0.01);
  EXPECT_LT(end->paired.interval->high, 0.55);
  EXPECT_NEAR(end->change, -300 * kMi, 6 * kMi);
  EXPECT_EQ(summary.ratio(1, "peak_rss_bytes")->difference, Difference::kNone);
  EXPECT_EQ(summary.judged_count, 3u);
}

TEST(AbSummary, RealButSmall_IsNoDifference) {
  Comparison comparison;
  add_entry(comparison, "glibc", {{"end_rss_bytes", {10e6, 10e6, 10e6, 10e6}}});
  add_entry(comparison, "tcmalloc", {{"end_rss_bytes", {14e6, 14e6, 14e6, 14e6}}});
  EXPECT_EQ(summarise(comparison).ratio(1, "end_rss_bytes")->difference, Difference::kTooSmall)
      << "4 MB is what it costs to carry the allocator";
}

TEST(AbSummary, ZeroOnBothSides_IsTheSame) {
  Comparison comparison;
  add_entry(comparison, "glibc", {{"major_faults", {0, 0, 0}}});
  add_entry(comparison, "tcmalloc", {{"major_faults", {0, 0, 0}}});
  const Summary summary = summarise(comparison);
  EXPECT_EQ(summary.ratio(1, "major_faults")->paired.ratio, 1);
  EXPECT_EQ(summary.ratio(1, "major_faults")->difference, Difference::kNone);
}

TEST(AbSummary, FailedRuns_AreCountedAndLeftOut) {
  Comparison comparison;
  add_entry(comparison, "glibc", figures(600, 800, 5, 0));
  add_entry(comparison, "tcmalloc", figures(300, 800, 5, 1));
  fail(comparison, 1, {1, 3, 4}, Outcome::kOomKilled);
  const Summary summary = summarise(comparison);
  EXPECT_EQ(summary.entries[1].done_count, 2u);
  EXPECT_EQ(summary.entries[1].outcomes.at(Outcome::kOomKilled), 3u);
  EXPECT_EQ(summary.entries[1].metrics.at("end_rss_bytes").count, 2u);
  EXPECT_EQ(summary.ratio(1, "end_rss_bytes")->paired.pairs, 2u);
  EXPECT_EQ(summary.ratio(1, "end_rss_bytes")->difference, Difference::kTooFewRuns);
}

TEST(AbSummary, WarmUp_IsNotCounted) {
  Comparison comparison;
  add_entry(comparison, "glibc", figures(600, 800, 5, 0));
  comparison.rows[0].warm_up = true;
  const Summary summary = summarise(comparison);
  EXPECT_EQ(summary.warm_up_count, 1u);
  EXPECT_EQ(summary.entries[0].run_count, 4u);
}

TEST(AbSummary, TreeThatEqualsTheProcess_IsLeftOut) {
  Comparison comparison;
  const std::vector<double> same = about(100 * kMi);
  add_entry(comparison, "glibc", {{"peak_rss_bytes", same}, {"tree_peak_rss_bytes", same}});
  EXPECT_EQ(summarise(comparison).measured.size(), 1u);
  comparison.rows[0].values["tree_peak_rss_bytes"] *= 2;
  EXPECT_EQ(summarise(comparison).measured.size(), 2u);
}

TEST(AbSummary, UnevenRounds_ArePairedByRound) {
  Comparison comparison;
  add_entry(comparison, "glibc", {{"wall_seconds", {1, 10, 100, 1000}}});
  add_entry(comparison, "other", {{"wall_seconds", {2, 20, 200, 2000}}});
  std::swap(comparison.rows[4], comparison.rows[7]);
  EXPECT_NEAR(summarise(comparison).ratio(1, "wall_seconds")->paired.ratio, 2, 1e-9);
}

}  // namespace
}  // namespace offheap::ab
