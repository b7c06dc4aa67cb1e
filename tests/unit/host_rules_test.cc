// SPDX-License-Identifier: Apache-2.0
//
// One look a kind of trouble, and what must not be called trouble.
#include <gtest/gtest.h>

#include "host_look.h"

namespace offheap::host {
namespace {

using testing::Test;

TEST(HostRules, HealthyHostHasNoFinding) {
  LookBuilder built;
  built.container("web", 40);
  built.task(1, 0, 'S', "init");
  EXPECT_TRUE(built.kinds().empty());
}

TEST(HostRules, HostThatCouldNotBeReadIsNotHealthy) {
  LookBuilder built;
  built.look.totals.processes = 0;
  EXPECT_EQ(built.kinds().front(), "blind");
}

TEST(HostRules, ContainerAtItsLimit_SaysNumbersAndWhatToRaise) {
  LookBuilder built;
  GroupRow& row = built.container("shop", 99);
  row.failcnt = 61233;
  row.oom_kills = 1;
  const Finding found = built.finding("at-limit");
  EXPECT_NE(found.text.find("61233"), std::string::npos) << found.text;
  EXPECT_NE(found.next.find("docker update --memory"), std::string::npos) << found.next;
  EXPECT_NE(found.next.find("offheap explain shop"), std::string::npos) << found.next;
}

TEST(HostRules, CleanPageCacheAtTheLimitIsNoTrouble) {
  LookBuilder built;
  GroupRow& row = built.container("db", 100);
  row.parts_known = true;
  row.file_bytes = *row.usage_bytes / 10 * 9;
  EXPECT_TRUE(built.kinds().empty());
  row.oom_kills = 1;
  EXPECT_EQ(built.kinds().front(), "at-limit");
}

TEST(HostRules, TmpfsAtTheLimitIsToBeEmptied) {
  LookBuilder built;
  GroupRow& row = built.container("shop", 99);
  row.parts_known = true;
  row.shmem_bytes = *row.usage_bytes / 10 * 8;
  EXPECT_NE(built.finding("at-limit").next.find("tmpfs"), std::string::npos);
}

TEST(HostRules, ManyAtTheirLimitAreCounted) {
  LookBuilder built;
  for (int i = 0; i < 14; ++i) built.container("c", 99);
  EXPECT_EQ(built.kinds().size(), 8u);
  bool said = false;
  for (const Finding& one : find(built.look))
    said = said || one.text.find("6 more like it") != std::string::npos;
  EXPECT_TRUE(said);
}

TEST(HostRules, HangAtALimitComesFirst) {
  LookBuilder built;
  built.container("loop", 99).oom_kills = 50;
  GroupRow& row = built.container("hang", 100);
  row.under_oom = row.oom_kill_disabled = true;
  row.d_threads = 12;
  EXPECT_EQ(built.kinds().front(), "oom-hang");
}

TEST(HostRules, LoopByCounterByRestartsAndByLog) {
  {
    LookBuilder built;
    GroupRow& row = built.container("a", 60);
    row.oom_kills_before = 40;
    row.oom_kills = 41;
    EXPECT_EQ(built.kinds().front(), "kill-loop");
  }
  {
    LookBuilder built;
    GroupRow& row = built.container("b", 60);
    row.restarts = 212;
    row.exit_code = 137;
    row.restart_policy = "always";
    EXPECT_NE(built.finding("kill-loop").next.find("docker update --restart=no b"), std::string::npos);
    row.exit_code = 1;
    row.state = "running";
    EXPECT_TRUE(built.kinds().empty()) << "restarts for another reason";
  }
  {
    LookBuilder built;
    built.container("c", 60);
    for (const double ago_s : {900.0, 500.0, 200.0}) built.kill(10'000 - ago_s, 1);
    EXPECT_EQ(built.kinds().front(), "kill-loop");
  }
  {
    LookBuilder built;
    built.container("d", 60);
    for (const double ago_s : {130.0, 125.0, 120.0}) built.kill(10'000 - ago_s, 1);
    EXPECT_TRUE(built.kinds().empty()) << "a loop of 5 s that was over two minutes ago";
  }
}

TEST(HostRules, LoopOfContainersThatAreGone) {
  LookBuilder built;
  for (int i = 0; i < 3; ++i) built.kill(9990 + i, kNoGroup, "reborn");
  EXPECT_NE(built.finding("kill-loop").headline.find("reborn"), std::string::npos);
}

TEST(HostRules, HostWithoutMemoryNamesTheLargest) {
  LookBuilder built;
  built.look.host.memory_available_bytes = 100 << 20;
  built.task(10, 1, 'S', "small").rss_bytes = 1 << 20;
  built.task(11, 1, 'S', "java").rss_bytes = Bytes{50} << 30;
  const Finding found = built.finding("host-memory");
  EXPECT_EQ(found.pid, 11);
  EXPECT_NE(found.next.find("offheap explain 11"), std::string::npos);
}

TEST(HostRules, FullSwap) {
  LookBuilder built;
  built.look.host.swap_total_bytes = Bytes{32} << 30;
  built.look.host.swap_free_bytes = 1 << 20;
  EXPECT_EQ(built.kinds(), std::vector<std::string>{"host-swap"});
}

TEST(HostRules, EachLimitOfForkIsTold) {
  {
    LookBuilder built;
    built.look.host.threads = 31'000;
    EXPECT_NE(built.finding("fork").text.find("kernel.pid_max 31000 of 32768 (95 %)"),
              std::string::npos);
  }
  {
    LookBuilder built;
    GroupRow& row = built.container("shop", 10);
    row.pids = 100;
    row.pids_limit = 100;
    row.forks_refused = 7;
    EXPECT_NE(built.finding("fork").text.find("it has refused 7"), std::string::npos);
  }
  {
    LookBuilder built;
    built.look.host.overcommit = 2;
    built.look.host.committed_bytes = built.look.host.commit_limit_bytes = Bytes{10} << 30;
    EXPECT_NE(built.finding("fork").text.find("10.0 GiB of 10.0 GiB"), std::string::npos)
        << built.finding("fork").text;
  }
}

TEST(HostRules, StuckSaysWhereAndWhatItMeans) {
  LookBuilder built;
  built.container("shop", 50);
  for (int i = 0; i < 9; ++i) built.stuck(100 + i, 1, "io_schedule");
  const Finding found = built.finding("stuck");
  EXPECT_NE(found.text.find("9 threads"), std::string::npos);
  EXPECT_NE(found.text.find("shop at io_schedule (disk"), std::string::npos) << found.text;
}

TEST(HostRules, ZombiesNameTheParentThatDoesNotWait) {
  LookBuilder built;
  built.task(1, 0, 'S', "init");
  built.task(50, 1, 'S', "node");
  for (int i = 0; i < 20; ++i) built.task(60 + i, 50, 'Z', "sh");
  const Finding found = built.finding("zombies");
  EXPECT_EQ(found.pid, 50);
  EXPECT_NE(found.text.find("20 zombies"), std::string::npos);
  EXPECT_NE(found.next.find("--init"), std::string::npos);
}

TEST(HostRules, UndeadVictimsAndHalfDeadProcesses) {
  LookBuilder built;
  built.kill(9000, kNoGroup);
  built.look.kills[0].undead = true;
  EXPECT_EQ(built.kinds().front(), "undead");
  LookBuilder half;
  half.task(9, 1, 'Z').d_threads = 3;
  EXPECT_EQ(half.kinds().front(), "undead");
}

TEST(HostRules, ThreadsThatMultiply) {
  LookBuilder built;
  TaskRow& row = built.task(10, 1, 'S', "java");
  row.threads_before = 300;
  row.threads = 420;
  EXPECT_NE(built.finding("threads").text.find("120 more"), std::string::npos);
  row.threads_before = 0;
  EXPECT_TRUE(built.kinds().empty()) << "a process that is new has not grown";
}

TEST(HostRules, LogThatLostKillsSaysHowMany) {
  LookBuilder built;
  built.look.host.oom_kills = 4118;
  built.look.log_kills = 3902;
  EXPECT_NE(built.finding("log-loss").text.find("3902 of 4118"), std::string::npos);
}

TEST(HostGrouping, OrderIsByTroubleThenCloseness) {
  LookBuilder built;
  built.container("calm", 85);
  built.container("closer", 95);
  built.container("killing", 50).oom_kills = 300;
  built.container("idle", 5);
  std::vector<std::string> names;
  for (const GroupRow* row : order_groups(built.look, false)) names.emplace_back(row->name);
  EXPECT_EQ(names, (std::vector<std::string>{"killing", "closer", "calm"}));
  EXPECT_EQ(order_groups(built.look, true).size(), 4u);
}

TEST(HostGrouping, SwapLimitOfV1CountsAsCloseness) {
  GroupRow row;
  row.limit_bytes = 100;
  row.usage_bytes = 50;
  row.swap_limit_bytes = 100;
  row.swap_usage_bytes = 99;
  EXPECT_DOUBLE_EQ(row.closeness(), 0.5);
  row.swap_counts_memory = true;
  EXPECT_DOUBLE_EQ(row.closeness(), 0.99);
}

}  // namespace
}  // namespace offheap::host
