// SPDX-License-Identifier: Apache-2.0
#include "cgroup/charge.h"

#include <gtest/gtest.h>

#include <numeric>

namespace offheap {
namespace {

constexpr Bytes kMi = Bytes{1} << 20;
constexpr std::uint64_t kCpus = 2;

Bytes sum(const std::vector<NamedBytes>& parts) {
  return std::accumulate(parts.begin(), parts.end(), Bytes{0},
                         [](Bytes all, const NamedBytes& part) { return all + part.bytes; });
}

/// A container with 200 threads, sockets and tmpfs files; figures of a real one under Linux 6.18.
Cgroup v1_group() {
  Cgroup cgroup;
  cgroup.version = 1;
  cgroup.usage_bytes = 391614464;
  cgroup.kernel_bytes = 301285376;
  cgroup.stat = parse_flat_keyed(
      "cache 0\nrss 0\nshmem 0\nmapped_file 0\n"
      "total_cache 38801408\ntotal_rss 51085312\ntotal_shmem 17825792\ntotal_mapped_file 4096000\n"
      "total_inactive_file 12582912\ntotal_active_file 8392704\ntotal_dirty 4194304\n");
  return cgroup;
}

TEST(Charge, V1_ClosesWithinWhatCpusHoldInAdvance) {
  ProcessUse process;
  process.threads = 200;
  process.page_table_bytes = 16 * kMi;
  const Charge charge = close_charge(v1_group(), {process}, kCpus);
  EXPECT_EQ(charge.rest_bytes, 442368);
  EXPECT_EQ(charge.tolerance_bytes, 524288u);
  EXPECT_TRUE(charge.closed());
  EXPECT_EQ(charge.file_bytes, 20975616u);
  ASSERT_EQ(charge.kernel_parts.size(), 3u);
  EXPECT_EQ(charge.kernel_parts[0].bytes, 200u * 16384);
  EXPECT_EQ(charge.kernel_parts[1].bytes, 16 * kMi);
  EXPECT_EQ(sum(charge.kernel_parts), charge.kernel_bytes);
  Cgroup off = v1_group();
  off.usage_bytes += kMi;
  EXPECT_FALSE(close_charge(off, {process}, kCpus).closed());
}

/// As the kernel's cgroup-v2.rst documents the keys, 5.18 and later.
Cgroup v2_group() {
  Cgroup cgroup;
  cgroup.version = 2;
  cgroup.stat = parse_flat_keyed(
      "anon 104857600\nfile 62914560\nkernel 31457280\nkernel_stack 3276800\npagetables 2097152\n"
      "sec_pagetables 0\npercpu 8192\nsock 4194304\nvmalloc 12288\nshmem 20971520\nzswap 1048576\n"
      "file_mapped 25165824\nfile_dirty 0\nfile_writeback 0\nswapcached 0\ninactive_file 30000000\n"
      "active_file 11943040\nslab_reclaimable 16777216\nslab_unreclaimable 5242880\nslab 22020096\n");
  cgroup.kernel_bytes = cgroup.stat_of("kernel");
  cgroup.usage_bytes = 104857600 + 62914560 + 31457280 + 4194304 + 1048576;
  return cgroup;
}

TEST(Charge, V2_SumsByKeyAndCountsNothingTwice) {
  const Charge charge = close_charge(v2_group(), {}, kCpus);
  EXPECT_EQ(charge.rest_bytes, 0);
  EXPECT_EQ(charge.shmem_bytes, 20971520u);
  EXPECT_EQ(charge.file_bytes, 62914560u - 20971520u);
  EXPECT_EQ(sum(charge.kernel_parts), charge.kernel_bytes);
  EXPECT_EQ(charge.all_kernel_bytes(), 31457280u + 4194304u);
}

TEST(Charge, V2_BeforeItHadASumOfKernelMemory) {
  Cgroup cgroup = v2_group();
  cgroup.stat.erase("kernel");
  cgroup.kernel_bytes = 0;
  const Charge charge = close_charge(cgroup, {}, kCpus);
  EXPECT_EQ(charge.kernel_bytes, 3276800u + 2097152 + 8192 + 12288 + 22020096);
}

TEST(Charge, Bridge_SplitsIntoMappedAndInNoRss) {
  ProcessUse process;
  process.pss_anon_bytes = 100 * kMi;
  process.pss_shmem_bytes = 10 * kMi;
  process.pss_file_bytes = 20 * kMi;
  const Bridge bridge = bridge_to_processes(v2_group(), {process});
  EXPECT_EQ(bridge.anon_elsewhere_bytes, 0);
  EXPECT_EQ(bridge.shmem_mapped_bytes, 10 * kMi);
  EXPECT_EQ(bridge.shmem_unmapped_bytes, 10 * kMi);
  EXPECT_EQ(bridge.file_mapped_bytes, 14 * kMi);
  EXPECT_EQ(bridge.file_unmapped_bytes, 26 * kMi);
  EXPECT_EQ(bridge.file_charged_elsewhere_bytes, 6 * kMi);
}

TEST(Charge, DroppableFiles_AreCleanOnes) {
  EXPECT_EQ(droppable_file_bytes(v1_group()), 20975616u - 4194304u);
  EXPECT_EQ(droppable_file_bytes(v2_group()), 41943040u);
}

TEST(CgroupPaths, ContainersOwnGroupAndMounts) {
  const std::string id(64, 'b');
  EXPECT_EQ(container_group("/libpod-" + id + ".scope/container"), "/libpod-" + id + ".scope");
  EXPECT_EQ(container_group("/docker/" + id + "/init.scope/x"), "/docker/" + id);
  EXPECT_EQ(container_group("/user.slice/x"), "/user.slice/x");
  EXPECT_EQ(container_group("/../" + id), "/../" + id);
  EXPECT_EQ(*path_below_mount({"/", "/cg"}, "/docker/x"), "/docker/x");
  EXPECT_EQ(*path_below_mount({"/docker/x", "/cg"}, "/docker/x"), "");
  EXPECT_FALSE(path_below_mount({"/docker/x", "/cg"}, "/docker/xy"));
  EXPECT_FALSE(path_below_mount({"/", "/cg"}, "/../x")) << "outside of this namespace";
  const std::string mounts =
      "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "90 31 8:1 /var/lib/docker/containers/" +
      id + "/hostname /etc/hostname rw - ext4 /dev/x rw\n";
  EXPECT_EQ(*group_of_directory(mounts, "/sys/fs/cgroup/memory/docker/x/"), "/docker/x");
  EXPECT_EQ(*group_of_directory(mounts, "/sys/fs/cgroup/memory"), "/");
  EXPECT_FALSE(group_of_directory(mounts, "/tmp"));
  EXPECT_EQ(container_of_mounts(mounts)->id, id);
}

}  // namespace
}  // namespace offheap
