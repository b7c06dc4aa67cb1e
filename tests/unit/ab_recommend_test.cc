// SPDX-License-Identifier: Apache-2.0
//
// Each rule of the recommendation, with figures on both sides of it.
#include "ab/recommend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ab/report.h"
#include "ab_rows.h"

namespace offheap::ab {
namespace {

using testing::Contains;
using testing::HasSubstr;

Recommendation advice_for(const Comparison& comparison) {
  return recommend(comparison, summarise(comparison));
}

Comparison against(const Columns& other) {
  Comparison comparison;
  add_entry(comparison, "glibc", figures(600, 800, 5, 0));
  add_entry(comparison, "other", other);
  return comparison;
}

TEST(AbRecommend, HalfTheMemoryAtNoCost_IsTaken) {
  const Recommendation advice = advice_for(against(figures(300, 780, 5, 1)));
  EXPECT_EQ(advice.entry, 1u);
  EXPECT_EQ(advice.decided_by, "end_rss_bytes");
  EXPECT_THAT(advice.reason, HasSubstr("RSS at end -50 %"));
  EXPECT_THAT(advice.verify, HasSubstr("offheap ab --verify"));
}

TEST(AbRecommend, NoDifference_IsSaid) {
  const Recommendation advice = advice_for(against(figures(600, 800, 5, 1)));
  EXPECT_EQ(advice.entry, 0u);
  EXPECT_EQ(advice.reason, "no difference detected");
}

TEST(AbRecommend, SavingBelowTenPercent_IsNotWorthIt) {
  const Recommendation advice = advice_for(against(figures(558, 800, 5, 1)));
  EXPECT_EQ(advice.entry, 0u);
  EXPECT_THAT(advice.rejected.at(0).reason, HasSubstr("too little"));
}

TEST(AbRecommend, SavingOfFewBytes_IsNotWorthIt) {
  Comparison comparison;
  add_entry(comparison, "glibc", figures(40, 50, 5, 0));
  add_entry(comparison, "other", figures(28, 50, 5, 1));
  EXPECT_EQ(advice_for(comparison).entry, 0u) << "12 MiB";
}

TEST(AbRecommend, PeakAlone_IsTaken) {
  const Recommendation advice = advice_for(against(figures(600, 500, 5, 1)));
  EXPECT_EQ(advice.entry, 1u);
  EXPECT_EQ(advice.decided_by, "peak_rss_bytes");
}

TEST(AbRecommend, HigherPeak_ForbidsTheChange) {
  const Recommendation advice = advice_for(against(figures(400, 1000, 5, 1)));
  EXPECT_EQ(advice.entry, 0u);
  EXPECT_THAT(advice.rejected.at(0).reason, HasSubstr("RSS peak"));
}

TEST(AbRecommend, CostOfFourPercent_IsShown) {
  const Recommendation advice = advice_for(against(figures(400, 800, 5.2, 1)));
  EXPECT_EQ(advice.entry, 1u);
  EXPECT_THAT(advice.costs, Contains(HasSubstr("wall +")));
}

TEST(AbRecommend, CostOfEightPercent_ForbidsUnlessMemoryIsHalved) {
  EXPECT_EQ(advice_for(against(figures(400, 800, 5.4, 1))).entry, 0u);
  EXPECT_EQ(advice_for(against(figures(290, 800, 5.4, 1))).entry, 1u);
  EXPECT_EQ(advice_for(against(figures(290, 800, 6.0, 1))).entry, 0u)
      << "20 % is too slow for anything";
}

TEST(AbRecommend, FailingEntry_IsNeverTaken) {
  Comparison comparison = against(figures(100, 200, 2, 1));
  fail(comparison, 1, {2}, Outcome::kSignal);
  const Recommendation advice = advice_for(comparison);
  EXPECT_EQ(advice.entry, 0u);
  EXPECT_EQ(advice.rejected.at(0).reason, "1 of 5 signal");
}

TEST(AbRecommend, FailingCurrent_IsLeftForOneThatFinishes) {
  Comparison comparison = against(figures(500, 700, 5, 1));
  add_entry(comparison, "smaller", figures(500, 600, 5, 2));
  add_entry(comparison, "failing", figures(100, 100, 5, 3));
  fail(comparison, 0, {0, 2, 4}, Outcome::kOomKilled);
  fail(comparison, 3, {1}, Outcome::kOomKilled);
  const Recommendation advice = advice_for(comparison);
  EXPECT_EQ(advice.entry, 2u);
  EXPECT_EQ(advice.decided_by, "outcome");
  EXPECT_THAT(advice.reason, HasSubstr("3 of 5 oom-killed"));
}

TEST(AbRecommend, Speed_IsTakenWhereMemoryDoesNotGrow) {
  EXPECT_EQ(advice_for(against(figures(600, 800, 4, 1))).decided_by, "wall_seconds");
  EXPECT_EQ(advice_for(against(figures(800, 800, 4, 1))).entry, 0u);
}

TEST(AbRecommend, ThroughputCountsBeforeWall) {
  Columns first = figures(600, 800, 5, 0);
  Columns other = figures(600, 800, 5, 1);
  first.emplace_back("throughput_per_second", about(1000, 3));
  other.emplace_back("throughput_per_second", about(1200, 4));
  Comparison comparison;
  add_entry(comparison, "glibc", first);
  add_entry(comparison, "other", other);
  EXPECT_EQ(advice_for(comparison).decided_by, "throughput_per_second");
}

TEST(AbRecommend, LargestSaving_IsTakenAmongSeveral) {
  Comparison comparison = against(figures(450, 800, 5, 1));
  add_entry(comparison, "better", figures(200, 800, 5, 2));
  add_entry(comparison, "faster", figures(600, 800, 3, 3));
  EXPECT_EQ(recommended_entry(comparison), "better");
}

TEST(AbRecommend, TwoRounds_AreTooFew) {
  Comparison comparison;
  add_entry(comparison, "glibc", {{"end_rss_bytes", {600e6, 601e6}}});
  add_entry(comparison, "other", {{"end_rss_bytes", {100e6, 101e6}}});
  EXPECT_THAT(advice_for(comparison).reason, HasSubstr("too few"));
}

TEST(AbRecommend, BlindRuns_AreWarnedOf) {
  Comparison comparison = against(figures(300, 800, 5, 1));
  for (Row& row : comparison.rows)
    if (row.entry == 1) row.values["wall_seconds"] *= row.round % 2 == 0 ? 1.2 : 0.85;
  const Recommendation advice = advice_for(comparison);
  EXPECT_EQ(advice.entry, 1u);
  EXPECT_THAT(advice.cautions, Contains(HasSubstr("wall: none detected")));
}

TEST(AbRecommend, Setting_IsTheEntrysEnvironment) {
  Comparison comparison = against(figures(300, 800, 5, 1));
  EXPECT_THAT(advice_for(comparison).setting.at(0), HasSubstr("#")) << "not in the provenance";
  comparison.provenance["entries"] = {
      {{"name", "other"}, {"environment", {{"MALLOC_CONF", "dirty_decay_ms:1000"}, {"X", "a\"$b"}}}}};
  EXPECT_EQ(
      advice_for(comparison).setting,
      (std::vector<std::string>{"ENV MALLOC_CONF=\"dirty_decay_ms:1000\"", "ENV X=\"a\\\"\\$b\""}));
}

TEST(AbVerify, SameFinding_Holds) {
  const Comparison before = against(figures(300, 800, 5, 1));
  const Verification verification = verify_finding(before, against(figures(320, 800, 5, 3)));
  EXPECT_TRUE(verification.held);
  EXPECT_THAT(verification.text, HasSubstr("The finding holds."));
  EXPECT_THAT(verification.text, HasSubstr("RSS at end: -50 %"));
}

TEST(AbVerify, VanishedSaving_DoesNotHold) {
  const Comparison before = against(figures(300, 800, 5, 1));
  EXPECT_FALSE(verify_finding(before, against(figures(600, 800, 5, 1))).held);
}

TEST(AbVerify, NewFailure_DoesNotHold) {
  const Comparison before = against(figures(300, 800, 5, 1));
  Comparison after = before;
  fail(after, 1, {3}, Outcome::kOomKilled);
  const Verification verification = verify_finding(before, after);
  EXPECT_FALSE(verification.held);
  EXPECT_THAT(verification.text, HasSubstr("1 of 5 oom-killed"));
}

TEST(AbVerify, OtherCurrent_DoesNotHold) {
  const Comparison before = against(figures(300, 800, 5, 1));
  Comparison after = before;
  after.entries[0] = "none";
  EXPECT_FALSE(verify_finding(before, after).held);
}

}  // namespace
}  // namespace offheap::ab
