// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>

#include "commands/dead_process.h"
#include "commands/watch_groups.h"
#include "commands/watch_jobs.h"
#include "commands/watch_look.h"
#include "temporary_folder.h"

namespace offheap {
namespace {

namespace fs = std::filesystem;

ProcessUse process(int pid, int namespace_pid, Bytes anon_bytes) {
  ProcessUse use;
  use.pid = pid;
  use.namespace_pid = namespace_pid;
  use.anon_bytes = anon_bytes;
  return use;
}

TEST(WatchLook, TheBigAndTheFirst_AreExplained) {
  using Positions = std::vector<std::size_t>;
  EXPECT_EQ(choose_processes({}, 100), Positions{});
  EXPECT_EQ(choose_processes({process(9, 5, 3), process(8, 4, 2)}, 100), Positions{0});
  EXPECT_EQ(choose_processes({process(9, 5, 60), process(8, 4, 2), process(7, 1, 1)}, 100),
            (Positions{0, 2}));
  std::vector<ProcessUse> many;
  for (int i = 0; i < 9; ++i) many.push_back(process(i + 2, i + 2, 11));
  EXPECT_EQ(choose_processes(many, 100).size(), 3u);
}

Snapshot recorded(std::uint32_t pid, std::uint64_t start_s, std::uint64_t last_s) {
  Snapshot snapshot;
  snapshot.pid = pid;
  snapshot.command = "/usr/bin/app --serve";
  snapshot.process_start_ticks = start_s * static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  snapshot.taken_time_ns = last_s * 1'000'000'000;
  return snapshot;
}

void add_kill(OomSummary& summary, std::int64_t pid, const std::string& name, std::int64_t time_s) {
  OomReport report;
  report.victims.emplace_back();
  report.victims[0].pid = pid;
  report.victims[0].name = name;
  report.victims[0].time.clock_us = time_s * 1'000'000;
  summary.kills.push_back({summary.reports.size(), 0});
  summary.reports.push_back(report);
}

TEST(DeadProcess, AKill_IsJoinedByPidAndTime) {
  OomSummary summary;
  add_kill(summary, 70, "app", 50);   // before it began: another process of its pid
  add_kill(summary, 70, "app", 900);  // long after its last word
  add_kill(summary, 71, "app", 301);
  add_kill(summary, 70, "app", 302);
  const auto join = join_kernel_report(recorded(70, 100, 300), summary);
  ASSERT_TRUE(join.report.is_object()) << join.how;
  EXPECT_EQ(join.report["pid"], 70);
  EXPECT_NE(join.how.find("pid and start time"), std::string::npos);
}

TEST(DeadProcess, InAContainer_NameAndTimeJoin_WhereOneFits) {
  OomSummary summary;
  add_kill(summary, 4711, "app", 301);
  add_kill(summary, 4712, "other", 301);
  const auto join = join_kernel_report(recorded(1, 100, 300), summary);
  ASSERT_TRUE(join.report.is_object());
  EXPECT_EQ(join.report["pid"], 4711);
  add_kill(summary, 4713, "app", 303);
  const auto two = join_kernel_report(recorded(1, 100, 300), summary);
  EXPECT_TRUE(two.report.is_null());
  EXPECT_NE(two.how.find("2 kills"), std::string::npos);
}

TEST(DeadProcess, NoKill_IsSaid) {
  EXPECT_NE(join_kernel_report(recorded(1, 100, 300), {}).how.find("no kill"), std::string::npos);
}

/// A version 2 group's files as a kernel wrote them.
TEST(WatchGroups, VersionTwo_UsageKillsAndTree) {
  const TemporaryFolder folder;
  const fs::path& mount = folder.path;
  fs::create_directories(mount / "system.slice" / "docker-1.scope");
  fs::create_directories(mount / "plain");
  const auto write = [](const fs::path& file, const std::string& text) { std::ofstream(file) << text; };
  write(mount / "system.slice" / "memory.max", "max\n");
  const fs::path leaf = mount / "system.slice" / "docker-1.scope";
  write(leaf / "memory.max", "134217728\n");
  write(leaf / "memory.current", "1048576\n");
  write(leaf / "memory.events", "low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n");
  write(leaf / "cgroup.procs", "17\n0\n18\n");
  const MemoryHierarchy hierarchy{2, mount.string(), "/"};
  const GroupTree tree = read_group_tree(hierarchy);
  ASSERT_EQ(tree.limited.size(), 1u);
  EXPECT_EQ(tree.limited[0].path, "/system.slice/docker-1.scope");
  EXPECT_EQ(tree.limited[0].limit_bytes, 134217728u);
  EXPECT_EQ(tree.parents.size(), 3u);
  const GroupFiles files = GroupFiles::open(hierarchy, tree.limited[0]);
  EXPECT_EQ(files.usage(), 1048576u);
  EXPECT_EQ(files.kills(), 1u);
  EXPECT_EQ(files.pids(), (std::vector<int>{17, 18}));
  EXPECT_EQ(files.threshold_event(), -1);
  fs::remove_all(mount);
  EXPECT_TRUE(read_group_tree(hierarchy).limited.empty());
  EXPECT_FALSE(GroupFiles::open(hierarchy, tree.limited[0]).usage());
}

TEST(WatchJob, Messages_ComeWithTheirDescriptor) {
  auto job = Job::start(
      [](const JobAnswer& answer) {
        answer.send("Done");
        answer.send("Rwith a file", STDIN_FILENO);
      },
      ~std::uint64_t{0});
  ASSERT_TRUE(job);
  std::vector<JobMessage> got;
  while (!job->ended()) {
    if (auto message = job->receive()) got.push_back(std::move(*message));
  }
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].text, "Done");
  EXPECT_FALSE(got[0].descriptor.valid());
  EXPECT_EQ(got[1].text, "Rwith a file");
  EXPECT_TRUE(got[1].descriptor.valid());
}

TEST(WatchJob, AHangingChild_IsGivenUp) {
  auto job = Job::start([](const JobAnswer&) { ::pause(); }, 5);
  ASSERT_TRUE(job);
  EXPECT_FALSE(job->kill_if_late(4));
  EXPECT_TRUE(job->kill_if_late(6));
  EXPECT_TRUE(job->ended());
}

TEST(WatchJob, AnException_IsAnAnswer) {
  auto job = Job::start([](const JobAnswer&) { throw std::runtime_error("no"); }, ~std::uint64_t{0});
  ASSERT_TRUE(job);
  std::optional<JobMessage> got;
  while (!job->ended() && !got) got = job->receive();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->text, "Eno");
}

}  // namespace
}  // namespace offheap
