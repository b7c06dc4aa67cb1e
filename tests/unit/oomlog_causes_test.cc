// SPDX-License-Identifier: Apache-2.0
//
// Causes from a report's figures, and kills of one container as a loop.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "oomlog/cause.h"
#include "oomlog_reports.h"

namespace offheap {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

OomReport limit_report(std::map<std::string, std::int64_t> stat) {
  OomReport report;
  report.memcg_kill = true;
  report.memory = OomUsage{64 * 1024, 64 * 1024, 0};
  report.stat = std::move(stat);
  report.page_kb = 4;
  return report;
}

std::string kind_of(const OomReport& report) { return judge_oom(report, {}).kind; }

TEST(OomCauses, MostOfTheUsageDecides) {
  EXPECT_EQ(kind_of(limit_report({{"anon", 60 * kMiB}, {"file", 2 * kMiB}})), "heap");
  EXPECT_EQ(kind_of(limit_report({{"total_rss", 60 * kMiB}, {"total_cache", 2 * kMiB}})), "heap");
  EXPECT_EQ(kind_of(limit_report({{"anon", 6 * kMiB}, {"file", 50 * kMiB}, {"shmem", 49 * kMiB}})),
            "tmpfs");
  EXPECT_EQ(kind_of(limit_report({{"anon", 6 * kMiB}, {"file", 50 * kMiB}, {"shmem", kMiB}})),
            "page-cache");
  EXPECT_EQ(kind_of(limit_report({{"anon", 6 * kMiB}, {"kernel", 50 * kMiB}})), "kernel-memory");
  EXPECT_EQ(
      kind_of(limit_report({{"anon", 6 * kMiB}, {"kernel", 50 * kMiB}, {"kernel_stack", 30 * kMiB}})),
      "thread-stacks");
  EXPECT_EQ(kind_of(limit_report({{"anon", 6 * kMiB}, {"sock", 50 * kMiB}})), "socket-buffers");
  EXPECT_EQ(kind_of(limit_report({{"anon", 20 * kMiB}, {"file", 20 * kMiB}, {"shmem", 10 * kMiB}})),
            "undecided");
}

TEST(OomCauses, SharedMemoryThatProcessesMapIsToldFromTmpfs) {
  auto report = limit_report({{"anon", 6 * kMiB}, {"file", 50 * kMiB}, {"shmem", 49 * kMiB}});
  report.rss_shmem_pages_sum = 48 * kMiB / 4096;
  EXPECT_EQ(kind_of(report), "shared-memory");
}

TEST(OomCauses, SharedMemoryBeforeItsFigureExisted) {
  const auto report = limit_report(
      {{"cache", 50 * kMiB}, {"rss", 6 * kMiB}, {"inactive_file", kMiB}, {"active_file", kMiB}});
  EXPECT_EQ(kind_of(report), "tmpfs");
  EXPECT_EQ(judge_oom(report, {}).bytes, static_cast<Bytes>(48 * kMiB));
}

TEST(OomCauses, KernelMemoryOfVersionOneStandsInItsOwnLine) {
  auto report = limit_report({{"total_rss", 10 * kMiB}, {"total_cache", 0}});
  report.kernel_memory = OomUsage{54912, std::int64_t{1} << 53, 0};
  EXPECT_EQ(kind_of(report), "kernel-memory");
}

TEST(OomCauses, ManyProcessesAreToldFromOne) {
  auto report = limit_report({{"anon", 60 * kMiB}});
  report.task_count = 12;
  report.rss_pages_sum = 60 * kMiB / 4096;
  report.biggest.push_back({1, 1, 0, 4000, 5 * kMiB / 4096, {}, {}, {}, {}, "worker"});
  EXPECT_EQ(kind_of(report), "many-processes");
  report.biggest[0].rss_pages = 50 * kMiB / 4096;
  EXPECT_EQ(kind_of(report), "heap");
}

TEST(OomCauses, SwapLimitAndWhoAsked_AreNotes) {
  auto report = limit_report({{"rss", 60 * kMiB}});
  report.memory = OomUsage{53824, 102400, 20427};
  report.memory_swap = OomUsage{204800, 204800, 608};
  report.invoker = "shell";
  OomVictim victim;
  victim.name = "db";
  const OomCause cause = judge_oom(report, victim);
  ASSERT_EQ(cause.notes.size(), 2u);
  EXPECT_NE(cause.notes[0].find("memory and swap together"), std::string::npos);
  EXPECT_EQ(cause.notes[1], "shell asked for memory, db died");
}

TEST(OomCauses, OfTheWholeMachine) {
  OomReport report;
  report.memcg_kill = false;
  report.page_kb = 4;
  report.order = -1;
  EXPECT_EQ(kind_of(report), "manual");
  report.order = 3;
  report.host.zone_free_kb = 100000;
  report.host.zone_min_kb = 4000;
  EXPECT_EQ(kind_of(report), "fragmentation");
  report.order = 0;
  EXPECT_EQ(kind_of(report), "undecided");
  report.host.ram_pages = 1000000;
  report.host.pages["shmem"] = 600000;
  EXPECT_EQ(kind_of(report), "tmpfs");
  report.host.pages = {{"slab_unreclaimable", 700000}};
  EXPECT_EQ(kind_of(report), "kernel-memory");
  report.host.pages.clear();
  report.task_count = 9;
  report.rss_pages_sum = 100000;
  EXPECT_EQ(kind_of(report), "unaccounted");
  report.rss_pages_sum = 900000;
  EXPECT_EQ(kind_of(report), "many-processes");
  report.constraint = "CPUSET";
  EXPECT_EQ(kind_of(report), "numa");
}

std::string kill_at(int second, int pid, const std::string& group) {
  return fmt::format(
      "[{}.000001] "
      "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=c,mems_allowed=0,oom_memcg={},"
      "task_memcg={},task=hog,pid={},uid=0\n[{}.000002] Memory cgroup out of memory: Killed process {} "
      "(hog) "
      "total-vm:4kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0\n",
      second, group, group, pid, second, pid);
}

TEST(OomLoops, ThreeKillsOfOneContainer) {
  const std::string one = "/docker/" + std::string(64, 'a');
  const std::string two = "/docker/" + std::string(64, 'b');
  const auto summary = summary_of(kill_at(10, 1, one) + kill_at(20, 2, two) + kill_at(40, 3, one) +
                                  kill_at(60, 4, one) + kill_at(61, 5, two));
  ASSERT_EQ(summary.loops.size(), 1u);
  EXPECT_EQ(summary.loops[0].kills.size(), 3u);
  EXPECT_EQ(summary.loops[0].key, std::string(64, 'a'));
  EXPECT_EQ(summary.loops[0].span_us, 50'000'000);
  EXPECT_EQ(summary.loops[0].median_gap_us, 30'000'000);
}

TEST(OomLoops, APodWhoseContainersAreMadeAnew_AndRareKillsAreNone) {
  const std::string pod = "/kubepods/burstable/pod28fcb1a0-a45c-44e7-b9bf-e3b9360bedba/";
  const auto anew = summary_of(kill_at(10, 1, pod + std::string(64, 'a')) +
                               kill_at(40, 3, pod + std::string(64, 'b')) +
                               kill_at(60, 4, pod + std::string(64, 'c')));
  ASSERT_EQ(anew.loops.size(), 1u);
  EXPECT_EQ(anew.loops[0].what, "pod");
  EXPECT_TRUE(anew.loops[0].ids_change);
  const std::string group = "/docker/" + std::string(64, 'a');
  EXPECT_EQ(summary_of(kill_at(10, 1, group) + kill_at(4000, 2, group) + kill_at(9000, 3, group))
                .loops.size(),
            0u);
}

TEST(OomLive, SettledGivesWhatIsNamedAndQuiet) {
  OomLog log;
  EXPECT_TRUE(log.feed("4,1,5000000,-;a invoked oom-killer: gfp_mask=0x0(), order=0, oom_score_adj=0\n")
                  .empty());
  EXPECT_TRUE(log.settled(9'000'000).empty()) << "no victim yet";
  EXPECT_TRUE(
      log.feed("4,2,5000100,-;Out of memory: Killed process 5 (a) total-vm:44kB, anon-rss:4kB\n")
          .empty());
  EXPECT_TRUE(log.settled(5'500'000).empty());
  const auto reports = log.settled(6'500'000);
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].invoker, "a");
  EXPECT_TRUE(log.flush().empty());
}

}  // namespace
}  // namespace offheap
