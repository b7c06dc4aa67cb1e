// SPDX-License-Identifier: Apache-2.0
#include "cgroup/cgroup.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace offheap {
namespace {

const std::string kId(64, 'a');

TEST(Cgroup, ProcCgroup_V1WinsOverUnified) {
  const auto path = parse_proc_cgroup("9:name=systemd:/x\n4:cpu,memory:/docker/abc\n0::/unified\n");
  ASSERT_TRUE(path);
  EXPECT_EQ(path->version, 1);
  EXPECT_EQ(path->path, "/docker/abc");
}

TEST(Cgroup, ProcCgroup_OnlyUnified_IsV2) {
  const auto path = parse_proc_cgroup("0::/system.slice/a:b.scope\n");
  ASSERT_TRUE(path);
  EXPECT_EQ(path->version, 2);
  EXPECT_EQ(path->path, "/system.slice/a:b.scope");
  EXPECT_FALSE(parse_proc_cgroup(""));
  EXPECT_FALSE(parse_proc_cgroup("nonsense\n"));
}

TEST(Cgroup, Mount_IsFoundByController) {
  const std::string mounts =
      "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
      "34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
      "35 31 0:32 /docker/x /sys/fs/cgroup/memory\\040x rw,relatime shared:9 - cgroup cgroup "
      "rw,memory\n"
      "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
  EXPECT_EQ(parse_cgroup_mount(mounts, 1)->point, "/sys/fs/cgroup/memory x");
  EXPECT_EQ(parse_cgroup_mount(mounts, 1)->root, "/docker/x");
  EXPECT_EQ(parse_cgroup_mount(mounts, 2)->point, "/sys/fs/cgroup/unified");
  EXPECT_FALSE(parse_cgroup_mount("31 23", 1));
}

TEST(Cgroup, Container_ByRuntime) {
  const std::pair<std::string, const char*> cases[] = {
      {"/docker/" + kId, "docker"},
      {"/system.slice/docker-" + kId + ".scope", "docker"},
      {"/kubepods.slice/kubepods-pod1.slice/cri-containerd-" + kId + ".scope", "containerd"},
      {"/kubepods/burstable/pod1/" + kId, "kubernetes"},
      {"/kubepods.slice/crio-" + kId + ".scope", "crio"},
      {"/machine.slice/libpod-" + kId + ".scope/container", "podman"},
      {"/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:" + kId, "containerd"},
      {"/libpod_parent/libpod-" + kId, "podman"},
  };
  for (const auto& [path, runtime] : cases) {
    const auto container = container_of_path(path);
    ASSERT_TRUE(container) << path;
    EXPECT_EQ(container->id, kId) << path;
    EXPECT_EQ(container->runtime, runtime) << path;
  }
  EXPECT_FALSE(container_of_path("/user.slice/user-0.slice/session-1.scope"));
  EXPECT_FALSE(container_of_path("/docker/not-an-id"));
}

TEST(Cgroup, FlatKeyed_SkipsWhatIsNoPair) {
  const auto values = parse_flat_keyed("anon 12\nfile 34\nbad\nword many\n 5\nlast 6");
  EXPECT_EQ(values.size(), 3u);
  EXPECT_EQ(values.at("anon"), 12u);
  EXPECT_EQ(values.at("last"), 6u);
}

TEST(Cgroup, Limit_NoneInBothSpellings) {
  EXPECT_FALSE(parse_limit("max\n"));
  EXPECT_FALSE(parse_limit("9223372036854771712\n"));
  EXPECT_EQ(parse_limit("104857600\n"), 104857600u);
  EXPECT_FALSE(parse_limit(""));
}

TEST(Cgroup, FileBytes_AreWithoutSharedMemory_InBothVersions) {
  Cgroup v1;
  v1.version = 1;
  v1.stat = {{"cache", 100}, {"shmem", 30}, {"rss", 7}};
  EXPECT_EQ(v1.file_bytes(), 70u);
  EXPECT_EQ(v1.anon_bytes(), 7u);
  Cgroup v2;
  v2.version = 2;
  v2.stat = {{"file", 100}, {"shmem", 30}, {"anon", 9}};
  EXPECT_EQ(v2.file_bytes(), 70u);
  EXPECT_EQ(v2.anon_bytes(), 9u);
}

TEST(Cgroup, Reader_OwnProcess_HasACharge) {
  const auto cgroup = read_cgroup(::getpid());
  if (!cgroup) GTEST_SKIP() << cgroup.error().what;
  EXPECT_GT(cgroup->usage_bytes, 0u);
  EXPECT_FALSE(cgroup->stat.empty());
}

TEST(Cgroup, Reader_NoProcess_IsAnError) {
  const auto cgroup = read_cgroup(1 << 30);
  ASSERT_FALSE(cgroup);
  EXPECT_EQ(cgroup.error().code, ErrorCode::kUnreadable);
}

}  // namespace
}  // namespace offheap
