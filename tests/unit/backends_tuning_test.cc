// SPDX-License-Identifier: Apache-2.0
//
// CPU quotas out of made-up cgroup trees, and the effect of the tuning on glibc itself.
#include "backends/tuning.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <barrier>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "backends/backend.h"

namespace {

std::map<std::string, std::string> g_files;

bool read_made_up(const char* path, char* out, size_t out_bytes) {
  auto found = g_files.find(path);
  if (found == g_files.end()) return false;
  snprintf(out, out_bytes, "%s", found->second.c_str());
  return true;
}

unsigned cpus_of(std::map<std::string, std::string> files) {
  g_files = std::move(files);
  return backends::cgroup_cpus(read_made_up);
}

TEST(CgroupCpus, NoCgroupsNoQuota) { EXPECT_EQ(cpus_of({}), 0U); }

TEST(CgroupCpus, V2QuotaIsRoundedUp) {
  auto with = [](const char* quota) {
    return cpus_of({{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", quota}});
  };
  EXPECT_EQ(with("max 100000\n"), 0U);
  EXPECT_EQ(with("50000 100000\n"), 1U);
  EXPECT_EQ(with("200000 100000\n"), 2U);
  EXPECT_EQ(with("200001 100000\n"), 3U);
  EXPECT_EQ(with(""), 0U);
  EXPECT_EQ(with("junk"), 0U);
  EXPECT_EQ(with("100000"), 0U);
  EXPECT_EQ(with("100000 0\n"), 0U);
}

TEST(CgroupCpus, V2TakesTheSmallestOnTheWayToTheRoot) {
  EXPECT_EQ(cpus_of({{"/proc/self/cgroup", "0::/a/b/c\n"},
                     {"/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n"},
                     {"/sys/fs/cgroup/a/b/cpu.max", "300000 100000\n"},
                     {"/sys/fs/cgroup/a/cpu.max", "800000 100000\n"}}),
            3U);
}

TEST(CgroupCpus, V1AmongOtherControllers) {
  EXPECT_EQ(cpus_of({{"/proc/self/cgroup", "5:cpuset:/x\n4:cpuacct,cpu:/docker/1\n0::/\n"},
                     {"/sys/fs/cgroup/cpu/docker/1/cpu.cfs_quota_us", "150000\n"},
                     {"/sys/fs/cgroup/cpu/docker/1/cpu.cfs_period_us", "100000\n"},
                     {"/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "100\n"},
                     {"/sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n"}}),
            2U);
}

TEST(CgroupCpus, V1UnlimitedIsMinusOne) {
  EXPECT_EQ(cpus_of({{"/proc/self/cgroup", "4:cpu,cpuacct:/\n"},
                     {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"},
                     {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}}),
            0U);
}

TEST(CgroupCpus, HostPathInsideAContainerFallsBackToTheMount) {
  EXPECT_EQ(cpus_of({{"/proc/self/cgroup", "4:cpu:/docker/not/visible/here\n"},
                     {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000\n"},
                     {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}}),
            4U);
}

TEST(CgroupCpus, MalformedLinesArePassedOver) {
  EXPECT_EQ(cpus_of({{"/proc/self/cgroup", "\n:\nnonsense\n3:cpu\n0::/"},
                     {"/sys/fs/cgroup/cpu.max", "100000 100000"}}),
            1U);
}

TEST(AvailableCpus, IsNeverZeroNorMoreThanTheProcessMayUse) {
  unsigned cpus = backends::available_cpus();
  EXPECT_GE(cpus, 1U);
  EXPECT_LE(cpus, std::thread::hardware_concurrency());
}

/// Arenas in use after eight threads have allocated at once.
size_t arenas_after_threads() {
  std::barrier all_at_once(8);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      all_at_once.arrive_and_wait();
      std::vector<void*> blocks(100);
      for (void*& block : blocks) block = malloc(5'000);
      all_at_once.arrive_and_wait();
      for (void* block : blocks) free(block);
    });
  }
  for (std::thread& thread : threads) thread.join();
  char text[65'536] = "";
  FILE* file = fmemopen(text, sizeof text, "w");
  malloc_info(0, file);
  fclose(file);
  size_t count = 0;
  for (const char* heap = text; (heap = strstr(heap, "<heap nr=")) != nullptr; ++heap) ++count;
  return count;
}

/// In a child, as the limit holds for good: exit status = arenas, or 200 when tune complained.
size_t arenas_under(const backends::Choice& choice) {
  pid_t child = fork();
  if (child == 0) {
    char complaint[512] = "";
    const backends::Backend* glibc = backends::choose(choice, complaint, sizeof complaint);
    backends::tune(glibc, choice, complaint, sizeof complaint);
    _exit(complaint[0] != '\0' ? 200 : static_cast<int>(arenas_after_threads()));
  }
  int status = 0;
  waitpid(child, &status, 0);
  return static_cast<size_t>(WEXITSTATUS(status));
}

TEST(Tune, LimitsArenas) {
  EXPECT_GT(arenas_under({.backend = "glibc"}), 2U);
  EXPECT_EQ(arenas_under({.backend = "glibc", .arena_max = 1}), 1U);
  EXPECT_LE(arenas_under({.backend = "glibc", .arena_max = backends::Choice::kAuto}),
            backends::available_cpus());
}

std::string complaint_of(const backends::Choice& choice) {
  char complaint[512] = "";
  const backends::Backend* backend = backends::choose(choice, complaint, sizeof complaint);
  backends::tune(backend, choice, complaint, sizeof complaint);
  return complaint;
}

TEST(Tune, SetsThresholds) {
  backends::Choice choice = {.backend = "glibc", .trim_threshold = 1 << 20, .mmap_threshold = 8 << 20};
  EXPECT_EQ(complaint_of(choice), "");
  size_t before = mallinfo2().hblks;
  void* volatile below = malloc(4 << 20);
  EXPECT_EQ(mallinfo2().hblks, before) << "a block below the threshold is a mapping of its own";
  void* volatile above = malloc(16 << 20);
  EXPECT_EQ(mallinfo2().hblks, before + 1) << "a block above the threshold is not a mapping of its own";
  free(below);
  free(above);
}

TEST(Tune, SaysWhatGlibcRefuses) {
  EXPECT_EQ(complaint_of({.backend = "glibc", .mmap_threshold = 3'000'000'000}),
            "OFFHEAP_GLIBC_MMAP_THRESHOLD=3000000000 was refused by glibc's mallopt");
  EXPECT_EQ(complaint_of({.backend = "glibc", .tcache_count = 3}),
            "OFFHEAP_GLIBC_TCACHE_COUNT cannot be set from inside; this works: "
            "GLIBC_TUNABLES=glibc.malloc.tcache_count=3");
}

TEST(Tune, SaysThatItHasNoEffectOnOthers) {
  std::string complaint = complaint_of({.backend = "jemalloc", .arena_max = 2});
  EXPECT_EQ(complaint.substr(0, 54), "OFFHEAP_GLIBC_* has no effect: the backend is jemalloc");
}

}  // namespace
