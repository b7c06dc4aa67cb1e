// SPDX-License-Identifier: Apache-2.0
#include "host/parse.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "host/files.h"

namespace offheap::host {
namespace {

/// A line of Linux 6.18; its fields from the fourth on.
const std::string kRest =
    " S 1 4711 4711 0 -1 4194560 9000 2 13 0 20 10 1 2 20 0 37 0 123456 1000000 250 "
    "18446744073709551615 1";

class HostParse : public testing::Test {
 protected:
  std::array<std::byte, 4096> block_{};
  Arena arena_{block_};
};

TEST_F(HostParse, Stat_GivesStateParentThreadsStartAndRss) {
  const auto row = parse_stat("4711 (java)" + kRest, 4096);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->pid, 4711);
  EXPECT_EQ(row->parent_pid, 1);
  EXPECT_EQ(row->state, 'S');
  EXPECT_EQ(row->threads, 37u);
  EXPECT_EQ(row->start_ticks, 123456u);
  EXPECT_EQ(row->rss_bytes, 250u * 4096);
  EXPECT_EQ(row->name.view(), "java");
}

TEST_F(HostParse, Stat_NameMayHoldWhatLooksLikeFields) {
  for (const std::string name :
       {"a) Z 99 (b", ")", "((", "", "x y", "nl\n1 (z) D", "\x1b[2J", ") S 1 1"}) {
    const auto row = parse_stat("12 (" + name + ")" + kRest, 4096);
    ASSERT_TRUE(row) << name;
    EXPECT_EQ(row->state, 'S') << name;
    EXPECT_EQ(row->name.view(), name);
  }
}

TEST_F(HostParse, Stat_CutAnywhereIsNothingOrWhatWasThere) {
  const std::string whole = "4711 (a) b)" + kRest;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto row = parse_stat(std::string_view(whole).substr(0, length), 4096);
    if (!row) continue;
    EXPECT_EQ(row->pid, 4711) << length;
    EXPECT_TRUE(row->threads == 37 || row->threads == 3) << length;
  }
}

TEST_F(HostParse, Stat_HostileNumbersAreNone) {
  EXPECT_FALSE(parse_stat("99999999999999 (a) S 1 1", 4096));
  EXPECT_FALSE(parse_stat("-1 (a)" + kRest, 4096));
  EXPECT_FALSE(parse_stat("1 (a) SS 1 1", 4096));
  EXPECT_FALSE(parse_stat(")(", 4096));
  const auto huge =
      parse_stat("1 (a) S 1 1 1 0 -1 1 1 1 1 1 1 1 1 1 1 1 5 1 7 1 18446744073709551615 1", 4096);
  ASSERT_TRUE(huge);
  EXPECT_EQ(huge->rss_bytes, 0u);
}

TEST_F(HostParse, Stat_ZombieHasNoThreadsLeft) {
  const auto row = parse_stat("7 (gone) Z 1 1 1 0 -1 1 0 0 0 0 0 0 0 0 20 0 0 0 5 0 0", 4096);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->state, 'Z');
}

TEST_F(HostParse, Loadavg) {
  HostFacts host;
  ASSERT_TRUE(parse_loadavg("3012.50 2988.01 2700.99 9/61204 123456\n", host));
  EXPECT_DOUBLE_EQ(host.load[0], 3012.5);
  EXPECT_EQ(host.runnable, 9u);
  EXPECT_EQ(host.threads, 61204u);
  for (const char* bad : {"", "1 2", "a b c 1/2 3", "1 2 3 4 5", "nan 1 1 1/2 3", "1 2 3 /2 3"})
    EXPECT_FALSE(parse_loadavg(bad, host)) << bad;
  EXPECT_EQ(host.threads, 61204u) << "a bad text must change nothing";
}

TEST_F(HostParse, MeminfoAndKeyedValues) {
  HostFacts host;
  parse_meminfo(
      "MemTotal:       528000000 kB\nMemAvailable:    1024 kB\nSwapTotal: 0 kB\nShmem: "
      "18446744073709551615 kB",
      host);
  EXPECT_EQ(host.memory_total_bytes, Bytes{528000000} * 1024);
  EXPECT_EQ(host.memory_available_bytes, 1024u * 1024);
  EXPECT_EQ(host.shmem_bytes, ~Bytes{0}) << "what does not fit is the most there is";
  EXPECT_EQ(value_of("oom_kill_disable 0\nunder_oom 1\noom_kill 7\n", "oom_kill"), 7u);
  EXPECT_EQ(value_of("oom_kill_disable 0\n", "oom_kill"), std::nullopt);
  EXPECT_EQ(value_of("oom_kill x\n", "oom_kill"), std::nullopt);
}

TEST_F(HostParse, Pressure) {
  const auto pressure = parse_pressure(
      "some avg10=71.25 avg60=1.00 avg300=0.00 total=1\nfull avg10=64.00 avg60=0.50 avg300=0.00 "
      "total=1\n");
  ASSERT_TRUE(pressure);
  EXPECT_DOUBLE_EQ(pressure->some, 71.25);
  EXPECT_DOUBLE_EQ(pressure->full, 64);
  EXPECT_FALSE(parse_pressure("some avg60=1\nother avg10=5\n"));
}

TEST_F(HostParse, WaitChannelAndStack) {
  EXPECT_EQ(parse_wait_channel("mem_cgroup_oom_synchronize"), "mem_cgroup_oom_synchronize");
  EXPECT_EQ(parse_wait_channel("0"), "");
  EXPECT_EQ(parse_wait_channel("evil\x1b[2J"), "");
  const auto stack =
      parse_stack("[<0>] io_schedule+0x46/0x70\n[<0>] folio_wait+0x1/0x2\nrubbish\n[<0>] last\n", 2);
  EXPECT_EQ(stack.view(), "io_schedule < folio_wait");
}

TEST_F(HostParse, GroupOfATask) {
  constexpr std::string_view kV1 =
      "9:name=systemd:/\n4:memory,hugetlb:/docker/abc (deleted)\n0::/unified\n";
  EXPECT_EQ(memory_group(kV1, 1), "/docker/abc");
  EXPECT_EQ(memory_group(kV1, 2), "/unified");
  EXPECT_EQ(memory_group("4:memoryx:/a\n5:xmemory:/b\n", 1), "");
}

TEST_F(HostParse, MountPoints) {
  constexpr std::string_view kLine = "33 32 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory";
  EXPECT_EQ(cgroup_mount_point(kLine, "memory"), "/sys/fs/cgroup/memory");
  EXPECT_EQ(cgroup_mount_point(kLine, "pids"), "");
  EXPECT_EQ(cgroup_mount_point("30 2 0:5 / /sys/fs/cgroup rw - cgroup2 cgroup rw", "cgroup2"),
            "/sys/fs/cgroup");
  EXPECT_EQ(cgroup_mount_point("no mount", "memory"), "");
}

TEST_F(HostParse, LimitsThatAreNone) {
  EXPECT_EQ(parse_group_limit("16777216\n"), Bytes{16777216});
  EXPECT_EQ(parse_group_limit("max\n"), std::nullopt);
  EXPECT_EQ(parse_group_limit("9223372036854771712\n"), std::nullopt);
  EXPECT_EQ(parse_group_limit("12 34"), std::nullopt);
}

TEST_F(HostParse, PodsByPathAndByDirectory) {
  constexpr std::string_view kUid = "0b7a1c2d-1111-2222-3333-444455556666";
  EXPECT_EQ(pod_uid_of("/kubepods/burstable/pod0b7a1c2d-1111-2222-3333-444455556666/ab").view(), kUid);
  EXPECT_EQ(pod_uid_of("/kubepods.slice/kubepods-pod0b7a1c2d_1111_2222_3333_444455556666.slice").view(),
            kUid);
  EXPECT_TRUE(pod_uid_of("/docker/abc").empty());
  const auto pod = parse_pod_directory("shop_cart-6f9_0b7a1c2d-1111-2222-3333-444455556666");
  ASSERT_TRUE(pod);
  EXPECT_EQ(pod->space, "shop");
  EXPECT_EQ(pod->pod, "cart-6f9");
  EXPECT_FALSE(parse_pod_directory("shop_cart"));
}

TEST_F(HostParse, DockersFiles) {
  const auto file = parse_docker_config(
      R"({"State":{"Running":true,"Restarting":true,"ExitCode":137},"Name":"/shop","RestartCount":212,"Config":{"Name":"no"}})",
      arena_);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->name, "shop");
  EXPECT_EQ(file->state, "restarting");
  EXPECT_EQ(file->restarts, 212u);
  EXPECT_EQ(file->exit_code, 137);
  EXPECT_FALSE(parse_docker_config(R"({"Name":"/shop")", arena_)) << "a file that was cut";
  const auto host =
      parse_docker_host_config(R"({"Memory":536870912,"RestartPolicy":{"Name":"always"}})", arena_);
  EXPECT_EQ(host.restart_policy, "always");
  EXPECT_EQ(host.limit_bytes, Bytes{536870912});
}

TEST_F(HostParse, OnlyWhatTheKernelAnswersMayBeRead) {
  for (const char* name : {"stat", "cgroup", "wchan", "stack", "status"})
    EXPECT_TRUE(may_be_read(name));
  for (const char* name : {"cmdline", "environ", "maps", "smaps", "smaps_rollup", "numa_maps", "exe",
                           "mem", "statm", "cwd", "fd", "", "stat/", "../1/maps"})
    EXPECT_FALSE(may_be_read(name)) << name;
}

TEST_F(HostParse, StacksOfTasksInExecAreLeftAlone) {
  EXPECT_TRUE(stack_may_be_read("6.18.44-fc", "kernel_clone"));
  EXPECT_TRUE(stack_may_be_read("5.7.0", "do_wait"));
  for (const char* old : {"5.4.0-42", "4.18.0-553.el8", "3.10.0", "", "x", "5"})
    EXPECT_FALSE(stack_may_be_read(old, "do_wait")) << old;
  for (const char* place : {"", "begin_new_exec", "rwsem_down_read_slowpath", "exec_mmap"})
    EXPECT_FALSE(stack_may_be_read("6.1.0", place)) << place;
}

}  // namespace
}  // namespace offheap::host
