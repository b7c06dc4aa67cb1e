// SPDX-License-Identifier: Apache-2.0
//
// One test a rule and one a trap; the numbers are chosen on both sides of each threshold.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "verdict_fixtures.h"

namespace offheap {
namespace {

TEST(Verdict, SteadyGrowthFromASite_IsALeakThatNamesIt) {
  Evidence evidence = with_heap({100 * kMi, 0, 0, 0, 0, kMi});
  evidence.live_points = rising(5);
  evidence.sites = {leaking_site(60 * kMi, 5.0 * kMi)};
  const auto verdicts = judge(evidence);
  ASSERT_EQ(verdicts.front().kind, VerdictKind::kLeak) << names(verdicts);
  EXPECT_EQ(verdicts.front().bytes, 60 * kMi);
  EXPECT_GE(verdicts.front().confidence, 0.85);
  EXPECT_NE(verdicts.front().summary.find("leaky()"), std::string::npos);
}

TEST(Verdict, SteadyGrowthWithoutSites_IsALeakOfLessConfidence) {
  Evidence evidence = with_heap({100 * kMi, 0, 0, 0, 0, kMi});
  evidence.live_points = rising(5);
  const auto verdicts = judge(evidence);
  ASSERT_EQ(verdicts.front().kind, VerdictKind::kLeak) << names(verdicts);
  EXPECT_LE(verdicts.front().confidence, 0.6);
  EXPECT_NE(verdicts.front().remedy.find("offheap run"), std::string::npos);
}

TEST(Verdict, LeakOfUntouchedPages_SaysThatRssGrowsLess) {
  Evidence evidence = with_heap({10 * kMi, 0, 0, 0, 0, kMi});
  evidence.malloc->obtained.live_bytes = 500 * kMi;
  evidence.live_points = rising(50);
  evidence.sites = {leaking_site(490 * kMi, 50.0 * kMi)};
  const auto verdicts = judge(evidence);
  ASSERT_EQ(verdicts.front().kind, VerdictKind::kLeak);
  EXPECT_EQ(verdicts.front().bytes, 490 * kMi);
  EXPECT_LT(verdicts.front().predicted_saving_bytes, 12 * kMi);
  EXPECT_NE(verdicts.front().summary.find("never touched"), std::string::npos);
}

TEST(Verdict, PlateauAfterARise_IsHealthyAndSaysPlateau) {
  Evidence evidence = with_heap({200 * kMi, 0, 0, 0, 0, kMi});
  evidence.live_points = points_of(
      100, [](double t) { return std::min(t, 3.0) * 60e6 + 1e5 * (static_cast<int>(t * 10) % 5); });
  // Entries replaced at random: survivors are born all over, but the site grows by nothing.
  SiteEvidence cache = leaking_site(180 * kMi, 0);
  cache.growth_low = -3e6;
  cache.growth_high = 3e6;
  evidence.sites = {cache};
  const auto verdicts = judge(evidence);
  ASSERT_EQ(verdicts.front().kind, VerdictKind::kHealthy) << names(verdicts);
  EXPECT_NE(names(verdicts).find("nothing stands out"), std::string::npos);
}

TEST(Verdict, Step_IsNoLeak) {
  Evidence evidence = with_heap({170 * kMi, 0, 0, 0, 0, kMi});
  evidence.live_points = points_of(
      100, [](double t) { return (t < 7 ? 20e6 : 170e6) + 1e5 * (static_cast<int>(t * 10) % 5); });
  SiteEvidence site = leaking_site(150 * kMi, 15e6);
  site.born_bytes = {0, 150 * kMi, 0, 0};
  evidence.sites = {site};
  const auto verdicts = judge(evidence);
  EXPECT_EQ(verdicts.front().kind, VerdictKind::kHealthy) << names(verdicts);
}

TEST(Verdict, CacheFillingEverMoreSlowly_IsUndecidedWithTheNextCommand) {
  Evidence evidence = with_heap({170 * kMi, 0, 0, 0, 0, kMi});
  evidence.live_points = points_of(100, [](double t) { return 300e6 * (1 - std::exp(-t / 3)); });
  const auto verdicts = judge(evidence);
  ASSERT_EQ(verdicts.front().kind, VerdictKind::kUndecided) << names(verdicts);
  EXPECT_NE(verdicts.front().remedy.find("offheap explain 42 --for"), std::string::npos);
}

TEST(Verdict, RiseThatEndedLongAgo_IsUndecided) {
  Evidence evidence = with_heap({170 * kMi, 0, 0, 0, 0, kMi});
  evidence.live_points = rising(10);
  const TrendPoint last = evidence.live_points.back();
  for (std::uint64_t i = 1; i < 60; ++i)
    evidence.live_points.push_back({last.time_ns + i * kSecond_ns, last.value_bytes});
  EXPECT_EQ(judge(evidence).front().kind, VerdictKind::kUndecided);
}

TEST(Verdict, CacheBesideALeak_IsNotCountedAsLeaked) {
  Evidence evidence = with_heap({300 * kMi, 0, 0, 0, 0, kMi});
  evidence.live_points = rising(2);
  // By birth times alone a cache that is replaced at 50 MB/s seems to grow by that.
  evidence.sites = {leaking_site(200 * kMi, 50e6), leaking_site(20 * kMi, 2.0 * kMi)};
  const auto verdicts = judge(evidence);
  ASSERT_EQ(verdicts.front().kind, VerdictKind::kLeak) << names(verdicts);
  EXPECT_EQ(verdicts.front().bytes, 20 * kMi);
}

TEST(Verdict, GrowingSiteInsideALevelTotal_NeedsToFitAndToBeSure) {
  Evidence evidence = with_heap({300 * kMi, 0, 0, 0, 0, kMi});
  evidence.live_points =
      points_of(100, [](double t) { return 250e6 + 20e6 * (static_cast<int>(t * 10) % 4); });
  evidence.sites = {leaking_site(20 * kMi, 1e6)};
  EXPECT_TRUE(has(judge(evidence), VerdictKind::kLeak));
  evidence.sites.front().growth_low = 1000;
  EXPECT_FALSE(has(judge(evidence), VerdictKind::kLeak))
      << "a barely positive interval convicts nobody";
  evidence.sites = {leaking_site(200 * kMi, 50e6)};
  EXPECT_FALSE(has(judge(evidence), VerdictKind::kLeak)) << "50 MB/s do not fit inside a level total";
}

TEST(Verdict, GrowingMappings_AreMmapGrowthAndNoLeak) {
  Evidence evidence = with_heap({20 * kMi, 0, 0, 0, 0, kMi});
  own(evidence, Owner::kDirectMmaps, 80 * kMi);
  evidence.live_points = flat();
  evidence.direct_points = rising(8);
  evidence.sites = {leaking_site(80 * kMi, 8.0 * kMi)};
  evidence.sites.front().mapping = true;
  const auto verdicts = judge(evidence);
  ASSERT_EQ(verdicts.front().kind, VerdictKind::kMmapGrowth) << names(verdicts);
  EXPECT_FALSE(has(verdicts, VerdictKind::kLeak));
}

TEST(Verdict, TrimmableBytes_AreRetentionThatTrimSaves) {
  const auto verdicts = judge(with_heap({50 * kMi, 0, 300 * kMi, 2 * kMi, kMi, kMi}));
  ASSERT_EQ(verdicts.front().kind, VerdictKind::kRetention) << names(verdicts);
  EXPECT_EQ(verdicts.front().bytes, 301 * kMi);
  EXPECT_EQ(verdicts.front().predicted_saving_bytes, 300 * kMi);
  EXPECT_NE(verdicts.front().remedy.find("malloc_trim"), std::string::npos);
}

TEST(Verdict, OneBlockThatPinsTheTop_IsNamedInTheRetention) {
  Evidence evidence = with_heap({50 * kMi, 0, 900 * kMi, 0, 0, kMi});
  PinningBlock block;
  block.address = 0x5500;
  block.usable_bytes = 56;
  block.freed_if_gone_bytes = 900 * kMi;
  block.block_count = 1;
  block.cached = true;
  evidence.pins = {{0, block, "allocated by keep_one() < main"}};
  const auto verdicts = judge(evidence);
  ASSERT_EQ(verdicts.front().kind, VerdictKind::kRetention);
  const std::string& line = verdicts.front().evidence.back();
  EXPECT_NE(line.find("cached block of 56 B at 0x5500"), std::string::npos) << line;
  EXPECT_NE(line.find("keep_one()"), std::string::npos) << line;
}

TEST(Verdict, TopsOfSecondaryArenas_GetAnotherRemedyThanTrim) {
  const auto verdicts = judge(with_heap({50 * kMi, 0, 0, 0, 200 * kMi, kMi}));
  ASSERT_EQ(verdicts.front().kind, VerdictKind::kRetention);
  EXPECT_NE(verdicts.front().remedy.find("MALLOC_ARENA_MAX"), std::string::npos);
  EXPECT_EQ(verdicts.front().predicted_saving_bytes, 200 * kMi);
}

TEST(Verdict, LeakingSitesOfOnePlace_AreOneLine) {
  Evidence evidence = with_heap({200 * kMi, 0, 0, 0, 0, kMi});
  evidence.live_points = rising(10);
  for (int i = 0; i < 3; ++i) {
    evidence.sites.push_back(leaking_site(30 * kMi, 3.0 * kMi));
    evidence.sites.back().place = "deflateInit2_ < init";
  }
  const auto verdicts = judge(evidence);
  ASSERT_EQ(verdicts.front().kind, VerdictKind::kLeak) << names(verdicts);
  const auto& lines = verdicts.front().evidence;
  EXPECT_EQ(std::count_if(lines.begin(), lines.end(),
                          [](const std::string& line) { return line.starts_with("deflateInit2_"); }),
            1);
}

TEST(Verdict, FreeBytesOnSharedPages_AreFragmentationAndNotTrimmable) {
  const auto verdicts = judge(with_heap({100 * kMi, 0, kMi, 100 * kMi, 0, kMi}));
  ASSERT_EQ(verdicts.front().kind, VerdictKind::kFragmentation) << names(verdicts);
  EXPECT_EQ(verdicts.front().bytes, 100 * kMi);
  EXPECT_EQ(verdicts.front().predicted_saving_bytes, 0u);
  EXPECT_FALSE(has(verdicts, VerdictKind::kRetention));
}

TEST(Verdict, IdleJemalloc_IsRetentionWithItsOwnRemedy) {
  Evidence evidence;
  evidence.target = "42";
  evidence.allocator = "jemalloc 5.3.0";
  evidence.has_shim = true;
  recording::BackendStatistics statistics{};
  statistics.allocated_bytes = 30 * kMi;
  statistics.page_free_bytes = 400 * kMi;
  evidence.backend = statistics;
  evidence.malloc = total_of_backend(statistics, {435 * kMi, 30 * kMi, 100000, 0});
  own(evidence, Owner::kBackendRanges, 435 * kMi);
  const auto verdicts = judge(evidence);
  ASSERT_EQ(verdicts.front().kind, VerdictKind::kRetention) << names(verdicts);
  EXPECT_NE(verdicts.front().remedy.find("background_thread"), std::string::npos);
  EXPECT_EQ(verdicts.front().predicted_saving_bytes, 400 * kMi);
}

Evidence jemalloc_with_stale_statistics(Bytes freed_since_bytes) {
  Evidence evidence;
  evidence.target = "42";
  evidence.allocator = "jemalloc 5.3.0";
  evidence.has_shim = true;
  evidence.backend.emplace();
  evidence.malloc =
      total_of_backend(*evidence.backend, {200 * kMi, 20 * kMi, 100000, freed_since_bytes});
  own(evidence, Owner::kBackendRanges, 200 * kMi);
  return evidence;
}

TEST(Verdict, FreedAfterTheLastStatistics_IsUndecidedAndSaysWhatRefreshesThem) {
  const auto verdicts = judge(jemalloc_with_stale_statistics(180 * kMi));
  ASSERT_EQ(verdicts.front().kind, VerdictKind::kUndecided) << names(verdicts);
  EXPECT_NE(verdicts.front().summary.find("last statistics"), std::string::npos);
  EXPECT_NE(verdicts.front().remedy.find("allocates"), std::string::npos);
}

TEST(Verdict, LittleFreedAfterTheLastStatistics_LeavesFragmentationSure) {
  const auto verdicts = judge(jemalloc_with_stale_statistics(4 * kMi));
  ASSERT_EQ(verdicts.front().kind, VerdictKind::kFragmentation) << names(verdicts);
  EXPECT_EQ(verdicts.front().bytes, 176 * kMi);
}

TEST(Verdict, ReservedButNotResident_IsHealthy) {
  Evidence evidence = with_heap({kMi, 0, 0, 0, 0, kMi});
  evidence.heap->arenas.front().system_bytes = 64 * kMi;
  EXPECT_EQ(judge(evidence).front().kind, VerdictKind::kHealthy);
}

TEST(Verdict, OneLookAtABigLiveHeap_IsUndecided) {
  EXPECT_EQ(judge(with_heap({500 * kMi, 0, 0, 0, 0, kMi})).front().kind, VerdictKind::kUndecided);
}

TEST(Verdict, ManyThreads_AreThreadStacks) {
  Evidence evidence = with_heap({10 * kMi, 0, 0, 0, 0, kMi});
  evidence.live_points = flat();
  own(evidence, Owner::kThreadStacks, 40 * kMi);
  evidence.thread_count = 400;
  evidence.thread_count_before = 100;
  const auto verdicts = judge(evidence);
  ASSERT_EQ(verdicts.front().kind, VerdictKind::kThreadStacks) << names(verdicts);
  EXPECT_NE(verdicts.front().evidence.front().find("thread leak"), std::string::npos);
}

TEST(Verdict, ForeignAllocatorWithoutARecording_IsUnobserved) {
  Evidence evidence;
  evidence.target = "42";
  evidence.ledger.foreign_allocator = "jemalloc";
  own(evidence, Owner::kBackendRanges, 300 * kMi);
  const auto verdicts = judge(evidence);
  ASSERT_EQ(verdicts.front().kind, VerdictKind::kUnobservedAllocator) << names(verdicts);
  EXPECT_NE(verdicts.front().remedy.find("offheap run"), std::string::npos);
}

TEST(Verdict, AnonymousMemory_IsBlamedOnNoAllocator_WhereTheHeapWasLeftAlone) {
  Evidence evidence;
  own(evidence, Owner::kUnknown, 300 * kMi);
  EXPECT_EQ(judge(evidence).front().kind, VerdictKind::kUnobservedAllocator);
  evidence.heap_unread = true;
  EXPECT_EQ(judge(evidence).front().kind, VerdictKind::kUndecided);
  evidence.ledger.foreign_allocator = "jemalloc";
  EXPECT_EQ(judge(evidence).front().kind, VerdictKind::kUnobservedAllocator);
}

TEST(Verdict, MappedFiles_AreNamedAsDroppable) {
  Evidence evidence = with_heap({10 * kMi, 0, 0, 0, 0, kMi});
  own(evidence, Owner::kFile, 400 * kMi);
  evidence.ledger.details = {{Owner::kFile, "/var/index.bin", 400 * kMi, 1}};
  const auto verdicts = judge(evidence);
  ASSERT_EQ(verdicts.front().kind, VerdictKind::kMappedFiles) << names(verdicts);
  EXPECT_NE(verdicts.front().evidence.front().find("/var/index.bin"), std::string::npos);
}

TEST(Verdict, SharedMemory_MappedOrOnlyCharged_IsTmpfs) {
  Evidence mapped = with_heap({10 * kMi, 0, 0, 0, 0, kMi});
  own(mapped, Owner::kSharedMemory, 100 * kMi);
  EXPECT_EQ(judge(mapped).front().kind, VerdictKind::kTmpfs);
  Evidence charged = with_heap({10 * kMi, 0, 0, 0, 0, kMi});
  charged.cgroup = Cgroup{};
  charged.cgroup->version = 1;
  charged.cgroup->container = Container{"abc", "docker", "", "", {}, {}};
  charged.cgroup->usage_bytes = 200 * kMi;
  charged.cgroup->stat = {{"shmem", 150 * kMi}};
  const auto verdicts = judge(charged);
  ASSERT_EQ(verdicts.front().kind, VerdictKind::kTmpfs) << names(verdicts);
  EXPECT_EQ(verdicts.front().bytes, 150 * kMi);
}

TEST(Verdict, ZerosInHugePages_AreHugePagesAndNoRetention) {
  Evidence evidence = with_heap({10 * kMi, 0, 190 * kMi, 0, 0, kMi});
  evidence.huge_zero_bytes[static_cast<std::size_t>(Owner::kMallocArenas)] = 189 * kMi;
  const auto verdicts = judge(evidence);
  ASSERT_EQ(verdicts.front().kind, VerdictKind::kHugePages) << names(verdicts);
  EXPECT_FALSE(has(verdicts, VerdictKind::kRetention));
}

Cgroup nearly_full(Bytes limit_bytes) {
  Cgroup cgroup;
  cgroup.version = 2;
  cgroup.limit_bytes = limit_bytes;
  cgroup.usage_bytes = limit_bytes - limit_bytes / 50;
  cgroup.failcnt = 12;
  return cgroup;
}

TEST(Verdict, FullCgroupWithoutAnotherCause_IsALimitTooSmall) {
  Evidence evidence = with_heap({180 * kMi, 0, 0, 0, 0, kMi});
  evidence.live_points = flat();
  evidence.cgroup = nearly_full(200 * kMi);
  EXPECT_EQ(judge(evidence).front().kind, VerdictKind::kLimitTooSmall);
  evidence.cgroup->stat["inactive_file"] = 100 * kMi;
  EXPECT_EQ(judge(evidence).front().kind, VerdictKind::kHealthy) << "half of the charge can be dropped";
}

TEST(Verdict, FullCgroupWithACause_BlamesTheCause) {
  Evidence evidence = with_heap({50 * kMi, 0, 130 * kMi, 0, 0, kMi});
  evidence.cgroup = nearly_full(200 * kMi);
  const auto verdicts = judge(evidence);
  EXPECT_EQ(verdicts.front().kind, VerdictKind::kRetention) << names(verdicts);
  EXPECT_FALSE(has(verdicts, VerdictKind::kLimitTooSmall));
}

TEST(Verdict, UnknownMemory_IsNeverHealthy) {
  Evidence evidence = with_heap({10 * kMi, 0, 0, 0, 0, kMi});
  own(evidence, Owner::kUnknown, 300 * kMi);
  evidence.live_points = flat();
  EXPECT_EQ(judge(evidence).front().kind, VerdictKind::kUndecided);
}

TEST(Verdict, Names_AreReadBack) {
  for (std::size_t i = 0; i < kVerdictKindCount; ++i) {
    const auto kind = static_cast<VerdictKind>(i);
    EXPECT_EQ(verdict_by_name(verdict_name(kind)), kind);
  }
  EXPECT_FALSE(verdict_by_name("leaks"));
}

}  // namespace
}  // namespace offheap
