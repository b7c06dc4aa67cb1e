// SPDX-License-Identifier: Apache-2.0
//
// A whole look at a tree of files as a Kubernetes node with cgroup v2 has them, which few machines that
// build this have: limits, events, pods' names and restarts from their logs' directories, Docker's
// files.
#include "host/read.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "host/findings.h"
#include "temporary_folder.h"

namespace offheap::host {
namespace {

constexpr const char* kPodUid = "0b7a1c2d-1111-2222-3333-444455556666";
const std::string kPod =
    "kubepods.slice/kubepods-burstable.slice/"
    "kubepods-burstable-pod0b7a1c2d_1111_2222_3333_444455556666.slice";
const std::string kInPod(64, 'a');
const std::string kDocker(64, 'b');
const std::string kWaiting(64, 'c');

class HostRead : public testing::Test {
 protected:
  void SetUp() override {
    options_.paths = {root_ + "/proc", root_ + "/docker", root_ + "/pods", root_ + "/kmsg"};
    options_.between_looks_ns = 1'000'000;
    options_.ask_docker = false;
    write("proc/loadavg", "3012.50 2988.01 2700.99 9/61204 123456\n");
    write("proc/uptime", "5000.12 1.0\n");
    write("proc/meminfo", "MemTotal: 67108864 kB\nMemAvailable: 33554432 kB\n");
    write("proc/vmstat", "nr_free_pages 1\noom_kill 41\n");
    write("proc/self/mountinfo", "30 2 0:5 / " + root_ + "/cgroup rw - cgroup2 cgroup rw\n");
    process(10, 1, 'S', "shim");
    process(4711, 10, 'S', "java");
    process(4712, 4711, 'Z', "sh");
    write("cgroup/cgroup.procs", "10\n");
  }

  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + "/" + path).parent_path());
    std::ofstream(root_ + "/" + path) << text;
  }

  void process(int pid, int parent, char state, const std::string& name) {
    write("proc/" + std::to_string(pid) + "/stat",
          std::to_string(pid) + " (" + name + ") " + state + " " + std::to_string(parent) +
              " 1 1 0 -1 1 1 1 1 1 1 1 1 1 20 0 " + (state == 'Z' ? "1" : "37") + " 0 7 1000 250 1");
    write("proc/" + std::to_string(pid) + "/cgroup",
          "0::/" + kPod + "/cri-containerd-" + kInPod + ".scope\n");
  }

  void group(const std::string& path, const std::string& limit, const std::string& usage) {
    write("cgroup/" + path + "/memory.max", limit);
    write("cgroup/" + path + "/memory.current", usage);
    write("cgroup/" + path + "/memory.events",
          "low 0\nhigh 0\nmax 61233\noom 9\noom_kill 7\noom_group_kill 0\n");
    write("cgroup/" + path + "/memory.swap.max", "0\n");
    write("cgroup/" + path + "/memory.swap.current", "0\n");
    write("cgroup/" + path + "/memory.stat",
          "anon 100\nfile 4194304\nshmem 3145728\nkernel 77\nslab 5\n");
    write("cgroup/" + path + "/pids.current", "99\n");
    write("cgroup/" + path + "/pids.max", "100\n");
    write("cgroup/" + path + "/pids.events", "max 3\n");
    write("cgroup/" + path + "/cgroup.procs", "");
  }

  HostLook look() { return read_host(options_, arena_); }

  static const GroupRow* row_named(const HostLook& look, std::string_view name) {
    for (const GroupRow& row : look.groups.rows())
      if (row.name == name) return &row;
    return nullptr;
  }

  TemporaryFolder folder_;
  std::string root_ = folder_.path;
  LookOptions options_;
  std::unique_ptr<std::byte[]> block_{new std::byte[2 << 20]};
  Arena arena_{std::span(block_.get(), 2 << 20)};
};

TEST_F(HostRead, PodOfCgroupV2_HasItsNameRestartsAndFigures) {
  group(kPod, "max\n", "5242880\n");
  const std::string container = kPod + "/cri-containerd-" + kInPod + ".scope";
  group(container, "5242880\n", "5242880\n");
  write("cgroup/" + container + "/cgroup.procs", "4711\n");
  write(std::string("pods/shop_cart-6f9_") + kPodUid + "/web/0.log", "");
  write(std::string("pods/shop_cart-6f9_") + kPodUid + "/web/3.log", "");
  const HostLook found = look();
  EXPECT_EQ(found.cgroup_version, 2);
  const GroupRow* row = row_named(found, "shop/cart-6f9/web");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->limit_bytes, Bytes{5} << 20);
  EXPECT_EQ(row->failcnt, 61233u);
  EXPECT_EQ(row->oom_kills, 7u);
  EXPECT_EQ(row->oom_kills_before, 7u);
  EXPECT_EQ(row->restarts, 3u);
  EXPECT_EQ(row->forks_refused, 3u);
  EXPECT_EQ(row->threads, 38u) << "its zombie is on no list of processes, and counts all the same";
  EXPECT_EQ(row->zombies, 1u);
  EXPECT_TRUE(row->parts_known);
  EXPECT_EQ(row->shmem_bytes, Bytes{3} << 20);
  EXPECT_EQ(row->file_bytes, Bytes{1} << 20);
  EXPECT_FALSE(row->swap_counts_memory);
  EXPECT_EQ(found.host.oom_kills, 41u);
  EXPECT_EQ(found.totals.zombies, 1u);
}

TEST_F(HostRead, DockersFilesNameWhatRuns_AndWhatWaitsForItsNextLife) {
  group("system.slice/docker-" + kDocker + ".scope", "1048576\n", "1000\n");
  write("docker/containers/" + kDocker + "/config.v2.json",
        R"({"State":{"Running":true,"ExitCode":0},"Name":"/web","RestartCount":0})");
  write(
      "docker/containers/" + kWaiting + "/config.v2.json",
      R"({"State":{"Running":true,"Restarting":true,"ExitCode":137},"Name":"/cart","RestartCount":212})");
  write("docker/containers/" + kWaiting + "/hostconfig.json",
        R"({"Memory":16777216,"RestartPolicy":{"Name":"always"}})");
  write("docker/containers/" + std::string(64, 'd') + "/config.v2.json",
        R"({"State":{"Running":false,"ExitCode":1},"Name":"/old","RestartCount":9})");
  const HostLook found = look();
  EXPECT_TRUE(row_named(found, "web"));
  const GroupRow* waiting = row_named(found, "cart");
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->limit_bytes, Bytes{16} << 20);
  EXPECT_EQ(waiting->state, "restarting");
  EXPECT_FALSE(row_named(found, "old")) << "a container that has ended is no trouble";
  const auto findings = find(found);
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings.front().kind, "kill-loop");
  EXPECT_NE(findings.front().next.find("--restart=no cart"), std::string::npos);
}

TEST_F(HostRead, WhatIsMissingIsSaid) {
  std::filesystem::remove_all(root_ + "/proc/loadavg");
  write("proc/self/mountinfo", "");
  const HostLook found = look();
  std::string notes;
  for (const std::string& text : found.notes) notes += text + "\n";
  for (const char* words : {"no load", "no memory cgroups", "no kernel log"})
    EXPECT_NE(notes.find(words), std::string::npos) << words << " not in " << notes;
  EXPECT_EQ(found.totals.processes, 3u);
}

TEST_F(HostRead, LittleMemoryKeepsTheWorstAndSaysWhatItDropped) {
  for (int i = 0; i < 250; ++i) process(20'000 + i, 1, i == 125 ? 'Z' : 'S', "many");
  std::vector<std::byte> block(112 << 10);
  Arena small{std::span(block)};
  const HostLook found = read_host(options_, small);
  EXPECT_EQ(found.totals.processes, 253u);
  EXPECT_GT(found.tasks.dropped(), 0u);
  EXPECT_TRUE(found.task(20'125)) << "a zombie outweighs a process that sleeps";
  std::string notes;
  for (const std::string& text : found.notes) notes += text + "\n";
  EXPECT_NE(notes.find("in the totals only"), std::string::npos) << notes;
}

}  // namespace
}  // namespace offheap::host
