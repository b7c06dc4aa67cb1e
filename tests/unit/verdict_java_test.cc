// SPDX-License-Identifier: Apache-2.0
//
// Verdicts on a JVM: each rule with the case beside it that it must not take.
#include <gtest/gtest.h>

#include <algorithm>

#include "verdict_fixtures.h"

namespace offheap {
namespace {

Evidence jvm_of(Bytes rest_bytes) {
  Evidence evidence;
  evidence.target = "1";
  own(evidence, Owner::kElf, rest_bytes);
  evidence.java.emplace();
  evidence.live_points = flat();
  return evidence;
}

const Verdict* find(const std::vector<Verdict>& verdicts, VerdictKind kind) {
  const auto found = std::find_if(verdicts.begin(), verdicts.end(),
                                  [&](const Verdict& verdict) { return verdict.kind == kind; });
  return found == verdicts.end() ? nullptr : &*found;
}

TEST(JavaHeap, MostOfRssInUse_IsNamedWithoutASaving) {
  Evidence evidence = jvm_of(100 * kMi);
  own(evidence, Owner::kJavaHeap, 200 * kMi);
  evidence.java->now.heap = JavaHeap{256 * kMi, 210 * kMi, 190 * kMi};
  const auto verdicts = judge(evidence);
  const Verdict* verdict = find(verdicts, VerdictKind::kJavaHeap);
  ASSERT_NE(verdict, nullptr);
  EXPECT_EQ(verdict->bytes, 200 * kMi);
  EXPECT_EQ(verdict->predicted_saving_bytes, 0u);
}

TEST(JavaHeap, MostlySpare_SavesWhatIsBeyondHalfMoreThanUse) {
  Evidence evidence = jvm_of(100 * kMi);
  own(evidence, Owner::kJavaHeap, 200 * kMi);
  evidence.java->now.heap = JavaHeap{256 * kMi, 210 * kMi, 40 * kMi};
  const auto verdicts = judge(evidence);
  const Verdict* verdict = find(verdicts, VerdictKind::kJavaHeap);
  ASSERT_NE(verdict, nullptr);
  EXPECT_EQ(verdict->predicted_saving_bytes, 140 * kMi);
  EXPECT_NE(verdict->remedy.find("-Xmx60m"), std::string::npos) << verdict->remedy;
}

TEST(JavaHeap, ThirdOfRss_IsNoCause) {
  Evidence evidence = jvm_of(200 * kMi);
  own(evidence, Owner::kJavaHeap, 100 * kMi);
  evidence.java->now.heap = JavaHeap{256 * kMi, 110 * kMi, 20 * kMi};
  EXPECT_EQ(find(judge(evidence), VerdictKind::kJavaHeap), nullptr);
}

TEST(JavaMetaspace, MoreLoadersAndBytes_IsGrowth) {
  Evidence evidence = jvm_of(100 * kMi);
  own(evidence, Owner::kJavaMetaspace, 20 * kMi);
  evidence.java->now.metaspace = MetaspaceArea{64 * kMi, 20 * kMi};
  evidence.java->now.classes = {500, 5000, true};
  evidence.java->classes_before = ClassLoading{100, 1000, true};
  evidence.java->metaspace_points = points_of(9, [](double t) { return 10e6 + 10e6 * t; });
  const auto verdicts = judge(evidence);
  const Verdict* verdict = find(verdicts, VerdictKind::kJavaMetaspace);
  ASSERT_NE(verdict, nullptr);
  EXPECT_DOUBLE_EQ(verdict->confidence, 0.9);
}

TEST(JavaMetaspace, LevelAndSmall_IsNoCause) {
  Evidence evidence = jvm_of(200 * kMi);
  own(evidence, Owner::kJavaMetaspace, 30 * kMi);
  evidence.java->now.metaspace = MetaspaceArea{64 * kMi, 30 * kMi};
  evidence.java->now.classes = {100, 5000, true};
  evidence.java->classes_before = ClassLoading{100, 5000, true};
  evidence.java->metaspace_points = points_of(9, [](double) { return 30e6; });
  EXPECT_EQ(find(judge(evidence), VerdictKind::kJavaMetaspace), nullptr);
}

TEST(JavaMetaspace, GrowthThatExplainsMalloc_DropsALeakWithoutSites) {
  Evidence evidence = jvm_of(100 * kMi);
  own(evidence, Owner::kJavaMetaspace, 60 * kMi);
  own(evidence, Owner::kMallocArenas, 60 * kMi);
  evidence.java->now.metaspace = MetaspaceArea{64 * kMi, 60 * kMi};
  evidence.java->now.classes = {500, 5000, true};
  evidence.java->classes_before = ClassLoading{100, 1000, true};
  evidence.live_points = rising(2);
  evidence.java->metaspace_points = points_of(100, [](double t) { return 10e6 + 4e6 * t; });
  const auto verdicts = judge(evidence);
  EXPECT_EQ(verdicts.front().kind, VerdictKind::kJavaMetaspace);
  EXPECT_EQ(find(verdicts, VerdictKind::kLeak), nullptr);
}

TEST(JavaCodeCache, NearlyFull_AsksForMoreAndSavesNothing) {
  Evidence evidence = jvm_of(200 * kMi);
  own(evidence, Owner::kJavaCodeCache, 46 * kMi);
  evidence.java->now.code_heaps = {{"CodeCache", 48 * kMi, 48 * kMi, 46 * kMi}};
  const auto verdicts = judge(evidence);
  const Verdict* verdict = find(verdicts, VerdictKind::kJavaCodeCache);
  ASSERT_NE(verdict, nullptr);
  EXPECT_EQ(verdict->predicted_saving_bytes, 0u);
  EXPECT_NE(verdict->remedy.find("ReservedCodeCacheSize=96m"), std::string::npos);
}

TEST(JavaCodeCache, FifthOfRssAndLevel_IsNoCause) {
  Evidence evidence = jvm_of(200 * kMi);
  own(evidence, Owner::kJavaCodeCache, 46 * kMi);
  evidence.java->now.code_heaps = {{"CodeCache", 240 * kMi, 48 * kMi, 46 * kMi}};
  evidence.java->code_points = points_of(9, [](double) { return 46e6; });
  EXPECT_EQ(find(judge(evidence), VerdictKind::kJavaCodeCache), nullptr);
}

TEST(DirectBuffers, RisingInMalloc_AreNamedAndNotALeakBeside) {
  Evidence evidence = jvm_of(100 * kMi);
  own(evidence, Owner::kMallocMmapped, 90 * kMi);
  evidence.java->now.direct = DirectMemory{1024 * kMi, 80 * kMi, 80 * kMi, 80};
  evidence.live_points = rising(5);
  evidence.java->direct_points = rising(5);
  const auto verdicts = judge(evidence);
  EXPECT_EQ(verdicts.front().kind, VerdictKind::kDirectBuffers);
  EXPECT_EQ(verdicts.front().bytes, 80 * kMi);
  EXPECT_EQ(find(verdicts, VerdictKind::kLeak), nullptr);
}

TEST(DirectBuffers, FewBesideALeak_LeaveTheLeak) {
  Evidence evidence = jvm_of(100 * kMi);
  own(evidence, Owner::kMallocArenas, 150 * kMi);
  evidence.java->now.direct = DirectMemory{1024 * kMi, 4 * kMi, 4 * kMi, 4};
  evidence.live_points = rising(8);
  evidence.java->direct_points = points_of(100, [](double) { return 4e6; });
  const auto verdicts = judge(evidence);
  EXPECT_EQ(find(verdicts, VerdictKind::kDirectBuffers), nullptr);
  EXPECT_NE(find(verdicts, VerdictKind::kLeak), nullptr);
}

TEST(DirectBuffers, CountersUnread_SayNothing) {
  Evidence evidence = jvm_of(100 * kMi);
  evidence.java->now.direct = DirectMemory{64 * kMi, {}, {}, {}};
  EXPECT_EQ(find(judge(evidence), VerdictKind::kDirectBuffers), nullptr);
}

}  // namespace
}  // namespace offheap
