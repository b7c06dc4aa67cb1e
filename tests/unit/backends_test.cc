// SPDX-License-Identifier: Apache-2.0
//
// Each backend through its table, as the shim uses it: blocks, alignment, errno, threads, fork, its
// statistics and the ranges that it reports. The test itself allocates from the process's own malloc.
#include <dlfcn.h>
#include <errno.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "backends/answers.h"
#include "backends/backend.h"
#include "backends_ranges.h"

namespace {

using backends::Backend;
using recording::BackendKind;

constexpr size_t kMiB = 1 << 20;

/// Taken when main starts: constructors of unselected backends would have run by then.
size_t g_mapped_before_main = 0;

std::map<std::string, std::string> g_complaints;

/// A backend is chosen at most once a process.
const Backend& backend_of(const std::string& name) {
  static std::map<std::string, const Backend*> chosen;
  const Backend*& backend = chosen[name];
  if (backend == nullptr) {
    char complaint[1024] = "";
    backends::Choice choice;
    choice.backend = name.c_str();
    backend = backends::choose(choice, complaint, sizeof complaint);
    size_t used = strlen(complaint);
    backends::tune(backend, {}, complaint + used, sizeof complaint - used);
    g_complaints[name] = complaint;
  }
  return *backend;
}

bool is_aligned(const void* block, size_t alignment) {
  return reinterpret_cast<uintptr_t>(block) % alignment == 0;
}

recording::BackendStatistics statistics_of(const Backend& backend) {
  recording::BackendStatistics statistics = {};
  backend.statistics(&statistics);
  return statistics;
}

std::string own_name(const testing::TestParamInfo<const char*>& backend) { return backend.param; }

class EachBackend : public testing::TestWithParam<const char*> {
 protected:
  const Backend& backend() const { return backend_of(GetParam()); }
  bool is_glibc() const { return backend().kind == BackendKind::kGlibc; }
};

TEST(Backends, UnselectedOnesDoNothingBeforeMain) { EXPECT_EQ(g_mapped_before_main, 0U); }

TEST_P(EachBackend, NamesItself) {
  EXPECT_EQ(std::string(backend().name).substr(0, strlen(GetParam())), GetParam());
  EXPECT_GT(strlen(backend().name), strlen(GetParam()) + 1) << "no version";
  EXPECT_EQ(g_complaints[GetParam()], "");
}

/// Allocates, fills, grows, checks and frees blocks of all sizes up to a few MiB.
void churn(const Backend& backend, unsigned seed, bool check_ranges) {
  struct Block {
    unsigned char* data;
    size_t size;
    unsigned char fill;
  };
  std::vector<Block> blocks(200);
  for (int round = 0; round < 20'000; ++round) {
    seed = seed * 1'103'515'245 + 12'345;
    Block& block = blocks[(seed >> 16) % blocks.size()];
    for (size_t i = 0; i < block.size; i += 97) ASSERT_EQ(block.data[i], block.fill);
    size_t size = (seed >> 8) % (round % 100 == 0 ? 2 * kMiB : 3'000);
    void* fresh = round % 3 == 0 ? backend.realloc(block.data, size + 1) : backend.malloc(size + 1);
    if (round % 3 != 0) backend.free(block.data);
    ASSERT_NE(fresh, nullptr);
    size_t usable = backend.usable_size(fresh);
    ASSERT_GE(usable, size + 1);
    ASSERT_TRUE(is_aligned(fresh, size + 1 >= 16 ? 16 : 8));
    ASSERT_TRUE(!check_ranges || is_mapped(fresh, usable));
    block = {static_cast<unsigned char*>(fresh), usable, static_cast<unsigned char>(seed >> 24)};
    memset(block.data, block.fill, usable);
  }
  for (Block& block : blocks) backend.free(block.data);
}

TEST_P(EachBackend, ServesFourThreadsFromRangesThatItReported) {
  std::vector<std::thread> threads;
  for (unsigned seed = 1; seed <= 4; ++seed) {
    threads.emplace_back(churn, std::cref(backend()), seed, !is_glibc());
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(EachBackend, ReallocKeepsContents) {
  auto* block = static_cast<char*>(backend().malloc(100));
  memset(block, 7, 100);
  block = static_cast<char*>(backend().realloc(block, 100'000));
  for (int i = 0; i < 100; ++i) ASSERT_EQ(block[i], 7);
  block = static_cast<char*>(backend().realloc(block, 50));
  for (int i = 0; i < 50; ++i) ASSERT_EQ(block[i], 7);
  backend().free(block);
}

TEST_P(EachBackend, CallocGivesZeros) {
  for (int round = 0; round < 100; ++round) {
    auto* dirty = static_cast<unsigned char*>(backend().malloc(5'000));
    memset(dirty, 0xff, 5'000);
    backend().free(dirty);
    auto* block = static_cast<unsigned char*>(backend().calloc(50, 100));
    for (int i = 0; i < 5'000; ++i) ASSERT_EQ(block[i], 0);
    backend().free(block);
  }
}

TEST_P(EachBackend, AlignsAsAsked) {
  for (size_t alignment = 16; alignment <= kMiB; alignment *= 2) {
    void* first = backend().memalign(alignment, 100);
    void* second = backend().aligned_alloc(alignment, alignment * 2);
    void* third = nullptr;
    ASSERT_EQ(backend().posix_memalign(&third, alignment, 1'000), 0);
    for (void* block : {first, second, third}) {
      ASSERT_NE(block, nullptr);
      ASSERT_TRUE(is_aligned(block, alignment));
      backend().free(block);
    }
  }
}

TEST_P(EachBackend, VallocAndPvallocGivePages) {
  void* one = backend().valloc(100);
  void* two = backend().pvalloc(5'000);
  EXPECT_TRUE(is_aligned(one, 4'096));
  EXPECT_TRUE(is_aligned(two, 4'096));
  EXPECT_GE(backend().usable_size(two), 8'192U);
  memset(two, 1, 8'192);
  backend().free(one);
  backend().free(two);
}

TEST_P(EachBackend, RefusesBadAlignmentsOfPosixMemalign) {
  void* untouched = &untouched;
  for (size_t alignment : {size_t{0}, size_t{4}, size_t{24}, size_t{48}}) {
    EXPECT_EQ(backend().posix_memalign(&untouched, alignment, 10), EINVAL) << alignment;
    EXPECT_EQ(untouched, &untouched);
  }
}

TEST_P(EachBackend, FailsWithEnomem) {
  volatile size_t huge = SIZE_MAX / 2;
  for (int call = 0; call < 6; ++call) {
    errno = 0;
    void* block = call == 0   ? backend().malloc(huge)
                  : call == 1 ? backend().calloc(huge, 4)
                  : call == 2 ? backend().realloc(nullptr, huge)
                  : call == 3 ? backend().memalign(64, huge)
                  : call == 4 ? backend().pvalloc(SIZE_MAX)
                              : backend().valloc(huge);
    EXPECT_EQ(block, nullptr) << call;
    EXPECT_EQ(errno, ENOMEM) << call;
  }
  void* out = nullptr;
  EXPECT_EQ(backend().posix_memalign(&out, 64, huge), ENOMEM);
}

TEST_P(EachBackend, FreeKeepsErrno) {
  for (size_t size : {size_t{10}, size_t{10'000}, 40 * kMiB}) {
    void* block = backend().malloc(size);
    errno = 4'711;
    backend().free(block);
    EXPECT_EQ(errno, 4'711) << size;
  }
  backend().free(nullptr);
  EXPECT_EQ(backend().usable_size(nullptr), 0U);
}

// jemalloc and tcmalloc themselves, preloaded with nothing of ours, leave a lock taken in a child now
// and then: they are held to most children, glibc to all.
TEST_P(EachBackend, WorksInForkedChildrenWhileThreadsAllocate) {
  int stuck = 0;
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (unsigned seed = 1; seed <= 3; ++seed) {
    threads.emplace_back([&] {
      while (!stop) backend().free(backend().malloc(1'000));
    });
  }
  for (int fork_count = 0; fork_count < 30; ++fork_count) {
    pid_t child = fork();
    if (child == 0) {
      alarm(3);
      for (size_t size = 1; size < 100'000; size += 997) backend().free(backend().malloc(size));
      _exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    stuck += status != 0;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(stuck, backend().kind == recording::BackendKind::kGlibc ? 0 : 6);
}

TEST_P(EachBackend, FillsMallinfo2) {
  struct mallinfo2 before = {};
  backend().mallinfo2(&before);
  std::vector<void*> blocks(1'000);
  for (void*& block : blocks) block = memset(backend().malloc(4'000), 1, 4'000);
  struct mallinfo2 after = {};
  backend().mallinfo2(&after);
  EXPECT_NEAR(static_cast<double>(after.uordblks - before.uordblks), 4e6, 4e5);
  EXPECT_EQ(after.arena, after.uordblks + after.fordblks);
  for (void* block : blocks) backend().free(block);
}

TEST_P(EachBackend, TrimGivesBackWhatIsFree) {
  // Freed by a thread that ends, so that no cache of this thread holds on to them.
  std::thread([&] {
    std::vector<void*> blocks(4'000);
    for (void*& block : blocks) block = memset(backend().malloc(8'000), 1, 8'000);
    for (void* block : blocks) backend().free(block);
  }).join();
  if (backend().malloc_trim(0) == 1) return;
  // jemalloc may have decayed by itself before it was asked: then nothing is left to give back.
  ASSERT_NE(backend().statistics, nullptr);
  recording::BackendStatistics statistics{};
  backend().statistics(&statistics);
  EXPECT_LT(statistics.page_free_bytes, 1'000'000u);
}

std::string written(const std::function<int(FILE*)>& write) {
  char* text = nullptr;
  size_t length = 0;
  FILE* file = open_memstream(&text, &length);
  EXPECT_EQ(write(file), 0);
  fclose(file);
  std::string answer(text, length);
  free(text);
  return answer;
}

TEST_P(EachBackend, MallocInfo_IsGlibcsAlone) {
  ASSERT_EQ(backend().malloc_info != nullptr, is_glibc());
  if (!is_glibc()) return;
  std::string answer = written([this](FILE* file) { return backend().malloc_info(0, file); });
  EXPECT_EQ(answer.substr(0, 15), "<malloc version");
}

TEST(Answers, MallocInfo_SaysWhatMallinfo2Says) {
  backends::WideMallinfo info = {};
  info.arena = 5'000'000'000;
  info.fordblks = 1234;
  std::string answer = written([&](FILE* file) { return backends::malloc_info_from(info, file); });
  EXPECT_EQ(answer,
            "<malloc version=\"1\">\n<total type=\"rest\" count=\"0\" size=\"1234\"/>\n"
            "<system type=\"current\" size=\"5000000000\"/>\n</malloc>\n");
}

INSTANTIATE_TEST_SUITE_P(, EachBackend, testing::Values("glibc", "jemalloc", "tcmalloc"), own_name);

class EmbeddedBackend : public EachBackend {};

TEST_P(EmbeddedBackend, RunsItsConstructorsOnceChosen) {
  backend().free(backend().malloc(100'000));
  EXPECT_GT(mapped_bytes(), 0U);
}

TEST_P(EmbeddedBackend, StatisticsFollowTheBlocks) {
  constexpr size_t kBlocks = 8'192;
  constexpr size_t kBytes = 4'096;
  std::vector<void*> blocks(kBlocks);
  recording::BackendStatistics before = statistics_of(backend());
  for (void*& block : blocks) block = memset(backend().malloc(kBytes), 1, kBytes);
  recording::BackendStatistics full = statistics_of(backend());
  EXPECT_NEAR(static_cast<double>(full.allocated_bytes - before.allocated_bytes), kBlocks * kBytes,
              kBlocks * kBytes * 0.01);
  EXPECT_GE(full.resident_bytes, full.allocated_bytes);
  EXPECT_GE(full.mapped_bytes, full.resident_bytes);
  EXPECT_GT(full.time_ns, before.time_ns);

  for (void* block : blocks) backend().free(block);
  recording::BackendStatistics freed = statistics_of(backend());
  EXPECT_LE(freed.allocated_bytes, before.allocated_bytes + kMiB);
  EXPECT_GT(freed.cached_bytes + freed.central_free_bytes + freed.page_free_bytes,
            kBlocks * kBytes * 9 / 10);

  backend().malloc_trim(0);
  recording::BackendStatistics trimmed = statistics_of(backend());
  EXPECT_LT(trimmed.resident_bytes, full.resident_bytes - kBlocks * kBytes / 2);
}

TEST_P(EmbeddedBackend, CountsItsRefreshes) {
  recording::BackendStatistics statistics = {};
  for (uint64_t count = 1; count <= 3; ++count) {
    backend().statistics(&statistics);
    EXPECT_EQ(statistics.epoch_count, count);
  }
}

TEST_P(EmbeddedBackend, GoodSizeIsWhatMallocGives) {
  for (size_t size = 0; size < 300'000; size += size < 2'048 ? 1 : 1'021) {
    void* block = backend().malloc(size);
    ASSERT_EQ(backend().good_size(size), backend().usable_size(block)) << size;
    backend().free(block);
  }
}

INSTANTIATE_TEST_SUITE_P(, EmbeddedBackend, testing::Values("jemalloc", "tcmalloc"), own_name);

TEST(Jemalloc, CountsEachThreadsBytesExactly) {
  const Backend& backend = backend_of("jemalloc");
  std::thread([&] {
    uint64_t* allocated = nullptr;
    uint64_t* freed = nullptr;
    ASSERT_TRUE(backend.thread_byte_counters(&allocated, &freed));
    uint64_t allocated_before = *allocated;
    uint64_t freed_before = *freed;
    uint64_t usable = 0;
    for (size_t size = 1; size < 100'000; size += 13) {
      void* block = backend.malloc(size);
      usable += backend.usable_size(block);
      backend.free(block);
    }
    EXPECT_EQ(*allocated - allocated_before, usable);
    EXPECT_EQ(*freed - freed_before, usable);
  }).join();
}

TEST(Glibc, UsableSizeIsWhatGlibcSays) {
  const Backend& backend = backend_of("glibc");
  for (size_t size = 0; size < 400'000; size += size < 2'048 ? 1 : 1'021) {
    void* block = backend.malloc(size);
    ASSERT_EQ(backend.usable_size(block), malloc_usable_size(block)) << size;
    backend.free(block);
  }
}

TEST(Next, IsGlibcWhereNothingElseComesAfter) {
  const Backend& backend = backend_of("next");
  EXPECT_EQ(backend.kind, BackendKind::kGlibc);
  EXPECT_EQ(backend.malloc, backend_of("glibc").malloc);
}

TEST(Choice, UnknownNameListsTheKnownOnesAndFallsBack) {
  const Backend& backend = backend_of("hoard");
  EXPECT_EQ(backend.kind, BackendKind::kGlibc);
  EXPECT_EQ(
      g_complaints["hoard"],
      "OFFHEAP_BACKEND=hoard is not a backend; known are next, glibc, tcmalloc, jemalloc, and a path "
      "with a slash; using next");
}

TEST(Choice, MissingFileIsSaidWithItsReason) {
  const Backend& backend = backend_of("/nonexistent/lib.so");
  EXPECT_EQ(backend.kind, BackendKind::kGlibc);
  EXPECT_EQ(
      g_complaints["/nonexistent/lib.so"],
      "OFFHEAP_BACKEND=/nonexistent/lib.so cannot be loaded: /nonexistent/lib.so: cannot open shared "
      "object file: No such file or directory; using next");
}

/// OFFHEAP_PARTIAL_ALLOCATOR has posix_memalign alone of the aligned family, and counts its calls.
TEST(Path, WhatAnAllocatorLacksIsMadeOfItsOwnFunctions) {
  const Backend& backend = backend_of(OFFHEAP_PARTIAL_ALLOCATOR);
  ASSERT_EQ(backend.kind, BackendKind::kForeign) << g_complaints[OFFHEAP_PARTIAL_ALLOCATOR];
  void* library = dlopen(OFFHEAP_PARTIAL_ALLOCATOR, RTLD_LAZY | RTLD_NOLOAD);
  auto* aligned_calls = static_cast<int*>(dlsym(library, "aligned_calls"));
  ASSERT_NE(aligned_calls, nullptr);
  int before = *aligned_calls;
  void* blocks[] = {backend.memalign(64, 10), backend.aligned_alloc(128, 256), backend.valloc(10),
                    backend.pvalloc(10)};
  EXPECT_EQ(*aligned_calls, before + 4);
  EXPECT_TRUE(is_aligned(blocks[0], 64));
  EXPECT_TRUE(is_aligned(blocks[1], 128));
  EXPECT_TRUE(is_aligned(blocks[2], 4'096));
  EXPECT_TRUE(is_aligned(blocks[3], 4'096));
  for (void* block : blocks) backend.free(block);
  errno = 0;
  EXPECT_EQ(backend.memalign(48, 10), nullptr);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(backend.pvalloc(SIZE_MAX), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  EXPECT_EQ(backend.malloc_trim, nullptr) << "glibc's malloc_trim is not this allocator's";
}

TEST(Choice, LibraryWithoutMallocIsNoBackend) {
  const Backend& backend = backend_of("/lib/x86_64-linux-gnu/libm.so.6");
  EXPECT_EQ(backend.kind, BackendKind::kGlibc);
  EXPECT_NE(
      g_complaints["/lib/x86_64-linux-gnu/libm.so.6"].find("it has no malloc and free of its own"),
      std::string::npos)
      << g_complaints["/lib/x86_64-linux-gnu/libm.so.6"];
}

}  // namespace

int main(int argc, char** argv) {
  g_mapped_before_main = mapped_bytes();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
