// SPDX-License-Identifier: Apache-2.0
#include "host/kill_log.h"

#include <gtest/gtest.h>

#include <array>

namespace offheap::host {
namespace {

class HostLog : public testing::Test {
 protected:
  std::array<KillRow, 4> rows_{};
  Table<KillRow> kills_{rows_};
  KillLog log_{kills_};
};

TEST_F(HostLog, KillInAContainer_HasVictimAndWhoseLimit) {
  log_.feed(
      "6,1,100000000,-;java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0");
  log_.feed(
      "6,2,100000100,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=c,mems_allowed=0,"
      "oom_memcg=/kubepods/pod1,task_memcg=/kubepods/pod1/c1,task=a) b, pid=1 (x,pid=4242,uid=0");
  log_.feed(
      "3,3,100000200,-;Memory cgroup out of memory: Killed process 4242 (a) b, pid=1 (x) "
      "total-vm:9000kB, "
      "anon-rss:2048kB, file-rss:4kB, shmem-rss:16kB, UID:0 pgtables:60kB oom_score_adj:0\n "
      "SUBSYSTEM=x\n");
  ASSERT_EQ(kills_.size(), 1u);
  EXPECT_EQ(kills_[0].pid, 4242);
  EXPECT_EQ(kills_[0].name.view(), "a) b, pid=1 (x");
  EXPECT_EQ(kills_[0].group_path.view(), "/kubepods/pod1/c1");
  EXPECT_EQ(kills_[0].limit_path.view(), "/kubepods/pod1");
  EXPECT_EQ(kills_[0].anon_bytes, 2048u << 10);
  EXPECT_EQ(kills_[0].shmem_bytes, 16u << 10);
  EXPECT_DOUBLE_EQ(kills_[0].time_s, 100.0002);
}

TEST_F(HostLog, OldKernelsSayTheLimitInAnotherLine) {
  log_.feed("6,1,5000000,-;Task in /docker/abc killed as a result of limit of /docker/abc");
  log_.feed("3,2,5000100,-;Killed process 77 (perl) total-vm:9kB, anon-rss:8kB, file-rss:0kB");
  ASSERT_EQ(kills_.size(), 1u);
  EXPECT_EQ(kills_[0].group_path.view(), "/docker/abc");
}

TEST_F(HostLog, KillOfTheHost_HasNoLimit) {
  log_.feed("6,1,1000000,-;Task in /a killed as a result of limit of /a");
  log_.feed("3,2,1000100,-;Killed process 1 (x) total-vm:9kB, anon-rss:8kB, file-rss:0kB");
  log_.feed(
      "3,3,9000000,-;Out of memory: Killed process 2 (y) total-vm:9kB, anon-rss:8kB, file-rss:0kB");
  ASSERT_EQ(kills_.size(), 2u);
  EXPECT_TRUE(kills_[1].limit_path.empty()) << kills_[1].limit_path.view();
}

TEST_F(HostLog, OneVictimToldTwiceIsOne_AndAReusedPidIsAnother) {
  for (const char* record :
       {"3,1,1000000,-;Memory cgroup out of memory: Killed process 9 (x) total-vm:9kB, anon-rss:8kB, "
        "file-rss:0kB",
        "3,2,1000200,-;Memory cgroup out of memory: Killed process 9 (x) total-vm:9kB, anon-rss:8kB, "
        "file-rss:4kB",
        "6,3,1000300,-;oom_reaper: reaped process 9 (x), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
        "3,4,90000000,-;Memory cgroup out of memory: Killed process 9 (x) total-vm:9kB, anon-rss:8kB, "
        "file-rss:0kB"})
    log_.feed(record);
  EXPECT_EQ(log_.count(), 2u);
}

TEST_F(HostLog, VictimKnownFromTheReaperAlone) {
  log_.feed(
      "6,3,1000300,-;oom_reaper: reaped process 4321 (java), now anon-rss:0kB, file-rss:0kB, "
      "shmem-rss:0kB");
  ASSERT_EQ(kills_.size(), 1u);
  EXPECT_EQ(kills_[0].pid, 4321);
}

TEST_F(HostLog, FullTableKeepsTheLatestAndCountsAll) {
  for (int i = 1; i <= 9; ++i)
    log_.feed("3,1," + std::to_string(i * 10) + "000000,-;Out of memory: Killed process " +
              std::to_string(i) + " (x) total-vm:9kB, anon-rss:8kB, file-rss:0kB");
  EXPECT_EQ(log_.count(), 9u);
  EXPECT_EQ(kills_.dropped(), 5u);
  for (const KillRow& row : kills_.rows()) EXPECT_GE(row.pid, 6);
}

TEST_F(HostLog, RubbishIsPassedOver) {
  for (const char* record :
       {"", "\n", ";", "6,1,1,-;", "Killed process", "6,x,y,-;Killed process 1 (",
        "6,1,1,-;Killed process 99999999999999999999 (x) total-vm:1kB",
        "6,1,1000,-;Killed process -4 (x) total-vm:1kB, anon-rss:1kB, file-rss:1kB",
        "12,5,99,-;node-problem-detector[4208]: Message:Memory cgroup out of memory: Killed process "
        "7788 (x) total-vm:1kB"})
    log_.feed(record);
  EXPECT_EQ(log_.count(), 0u);
}

}  // namespace
}  // namespace offheap::host
