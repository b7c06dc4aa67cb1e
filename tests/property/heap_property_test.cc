// SPDX-License-Identifier: Apache-2.0
//
// The arena reader against real processes, whose own allocator is the second source of every number:
// mallinfo2 for what was obtained, the fall of resident memory by malloc_trim(0) for what is trimmable,
// the program's own books for what is live. HEAP_TARGET in the environment names another build of the
// program, for another glibc; HEAP_SEEDS how many seeds are enough there.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <sstream>
#include <thread>

#include "glibc_heap/glibc_heap.h"
#include "glibc_heap/malloc_layout.h"
#include "property/heap_child.h"
#include "zero_page.h"

namespace offheap {
namespace {

std::string heap_target() {
  const char* other = std::getenv("HEAP_TARGET");
  return other != nullptr ? other : HEAP_TARGET;
}

int seed_count(bool slow) {
  const char* asked = std::getenv("HEAP_SEEDS");
  const int most = asked != nullptr ? std::max(1, std::atoi(asked)) : 10;
  return slow ? std::min(3, most) : most;
}

struct Said {
  Bytes arena = 0, uordblks = 0, fordblks = 0, hblkhd = 0, hblks = 0, live_bytes = 0, live_count = 0;
};

Said parse(const std::string& line) {
  Said said;
  std::istringstream(line) >> said.arena >> said.uordblks >> said.fordblks >> said.hblkhd >>
      said.hblks >> said.live_bytes >> said.live_count;
  return said;
}

Bytes anonymous_bytes(const std::vector<Mapping>& mappings) {
  return std::accumulate(mappings.begin(), mappings.end(), Bytes{0},
                         [](Bytes sum, const Mapping& m) { return sum + m.anonymous_bytes; });
}

struct Totals {
  Bytes system = 0, live = 0, cached = 0, free = 0, metadata = 0, trimmable = 0, live_count = 0;
};

Totals totals(const HeapReport& report) {
  Totals t;
  for (const auto& arena : report.arenas) {
    t.system += arena.system_bytes;
    t.live += arena.obtained.live_bytes;
    t.cached += arena.obtained.cached_bytes;
    t.free += arena.obtained.free_bytes;
    t.metadata += arena.obtained.metadata_bytes;
    t.trimmable += arena.resident.trimmable_bytes;
    t.live_count += arena.live_block_count;
  }
  return t;
}

HeapReport read_heap(const Process& process, const ProcessMemory& memory,
                     const std::vector<Mapping>& mappings, HeapReadOptions options = {}) {
  const auto stacks = find_thread_stacks(process, memory, mappings);
  EXPECT_TRUE(stacks.ok());
  options.threads = *stacks;
  auto report = read_glibc_heap(process, memory, mappings, options);
  EXPECT_TRUE(report.ok()) << (report.ok() ? "" : report.error().what);
  return report.ok() ? *report : HeapReport{};
}

HeapReadOptions without_pause() {
  HeapReadOptions options;
  options.pause = false;
  return options;
}

HeapReadOptions with_pauses_of(std::uint64_t most_pause_ns) {
  HeapReadOptions options;
  options.most_pause_ns = most_pause_ns;
  return options;
}

void expect_identities(const HeapReport& report) {
  for (const auto& arena : report.arenas) {
    SCOPED_TRACE("arena " + std::to_string(arena.index));
    EXPECT_TRUE(arena.consistent);
    EXPECT_EQ(arena.resident.sum(), arena.rss_bytes);
    EXPECT_EQ(arena.obtained.live_bytes + arena.obtained.cached_bytes + arena.obtained.free_bytes +
                  arena.obtained.metadata_bytes,
              arena.system_bytes);
    EXPECT_LT(arena.resident.metadata_bytes, arena.rss_bytes);
  }
  for (const auto& check : report.checks) EXPECT_TRUE(check.ok) << check.name;
}

/// glibc 2.43 counts 16 bytes too many at each mremap; a block that was not found is at least a page.
void expect_mmapped(const HeapReport& report, const Said& said) {
  constexpr std::uint32_t kWithoutFastbins = 24;
  EXPECT_EQ(report.mmapped.size(), said.hblks);
  if (report.layout != kWithoutFastbins) {
    EXPECT_EQ(report.mmapped_bytes, said.hblkhd);
    return;
  }
  EXPECT_LT(said.hblkhd - report.mmapped_bytes, kPageBytes);
  EXPECT_EQ((said.hblkhd - report.mmapped_bytes) % 16, 0U);
}

class HeapWorkload : public testing::TestWithParam<const char*> {};

TEST_P(HeapWorkload, Report_EqualsMallinfoTrimAndBooks) {
  const std::string name = GetParam();
  const int seeds = seed_count(name == "several_heaps" || name == "churn50");
  for (int i = 0; i < seeds; ++i) {
    const auto seed =
        std::to_string(static_cast<unsigned>(::getpid()) * 131U + static_cast<unsigned>(i));
    SCOPED_TRACE(name + " seed " + seed);
    Child child({heap_target(), name, seed});
    const auto said = parse(child.read_line());
    ASSERT_NE(said.arena, 0U);
    auto process = Process::open(child.pid());
    ASSERT_TRUE(process.ok());
    auto memory = ProcessMemory::open(*process);
    ASSERT_TRUE(memory.ok());
    const auto before = process->read_smaps();
    ASSERT_TRUE(before.ok());

    const auto report = read_heap(*process, *memory, *before);
    ASSERT_TRUE(report.found);
    expect_identities(report);
    const auto sum = totals(report);
    EXPECT_EQ(sum.system, said.arena);
    EXPECT_EQ(sum.free, said.fordblks);
    EXPECT_EQ(sum.live + sum.cached + sum.metadata, said.uordblks);
    expect_mmapped(report, said);
    // libc's own blocks (TLS vectors of threads) are live too; nothing else is.
    EXPECT_GE(sum.live, said.live_bytes);
    EXPECT_LT(sum.live - said.live_bytes, 8192U);
    EXPECT_LT(sum.live_count - said.live_count, 64U);

    child.send('t');
    ASSERT_EQ(child.read_line(), "trimmed");
    const auto after = process->read_smaps();
    ASSERT_TRUE(after.ok());
    // malloc_trim reads what it has not touched before, and has it from then on where there is no zero
    // page.
    const Bytes read = kernel_has_zero_page() ? 0 : 16 * kPageBytes;
    EXPECT_LE(anonymous_bytes(*before), anonymous_bytes(*after) + sum.trimmable);
    EXPECT_GE(anonymous_bytes(*before) + read, anonymous_bytes(*after) + sum.trimmable);
    if (HasFailure()) break;
  }
}

INSTANTIATE_TEST_SUITE_P(All, HeapWorkload,
                         testing::Values("churn50", "several_heaps", "mostly_free", "fastbins",
                                         "tcaches", "aligned", "mmapped", "mmapped_aligned",
                                         "untouched", "main_only", "mixed", "foreign_break",
                                         "blocked_break"),
                         [](const auto& param) { return std::string(param.param); });

TEST(HeapThreads, EveryThreadHasItsArenaAndStack) {
  Child child({heap_target(), "mixed", "3"});
  ASSERT_NE(child.read_line(), "");
  const auto process = Process::open(child.pid());
  const auto memory = ProcessMemory::open(*process);
  const auto mappings = process->read_smaps();
  const auto stacks = find_thread_stacks(*process, *memory, *mappings);
  ASSERT_TRUE(stacks.ok());
  const auto tids = process->read_thread_ids();
  ASSERT_EQ(tids->size(), 6U);
  std::vector<std::uint32_t> with_stack;
  for (const auto& stack : *stacks) {
    if (stack.tid != 0) with_stack.push_back(stack.tid);
    EXPECT_NE(stack.thread_pointer, 0U);
    EXPECT_LE(stack.range.size(), Bytes{64} << 20);
  }
  std::sort(with_stack.begin(), with_stack.end());
  EXPECT_EQ(with_stack, *tids);

  std::vector<std::uint32_t> with_arena;
  const auto report = read_heap(*process, *memory, *mappings);
  for (const auto& arena : report.arenas) {
    EXPECT_EQ(arena.threads.size(), arena.attached_threads) << "arena " << arena.index;
    with_arena.insert(with_arena.end(), arena.threads.begin(), arena.threads.end());
  }
  std::sort(with_arena.begin(), with_arena.end());
  EXPECT_EQ(with_arena, *tids);
}

TEST(HeapEstimate, WithoutPause_NothingIsStoppedAndItSaysSo) {
  Child child({heap_target(), "mixed", "4"});
  const auto said = parse(child.read_line());
  const auto process = Process::open(child.pid());
  const auto memory = ProcessMemory::open(*process);
  const auto mappings = process->read_smaps();
  const auto report = read_heap(*process, *memory, *mappings, without_pause());
  EXPECT_TRUE(report.estimate);
  EXPECT_EQ(report.pause_ns, 0U);
  const auto sum = totals(report);
  // The process stands still, so that its lists hold.
  EXPECT_EQ(sum.free, said.fordblks);
  EXPECT_EQ(sum.live + sum.cached + sum.metadata, said.uordblks);
  for (const auto& arena : report.arenas) EXPECT_EQ(arena.resident.sum(), arena.rss_bytes);
}

TEST(HeapChurn, ReadWhileAllThreadsAllocate_IsSoundAndHonest) {
  Child child({heap_target(), "restless", "5"});
  ASSERT_EQ(child.read_line(), "restless");
  const auto process = Process::open(child.pid());
  const auto memory = ProcessMemory::open(*process);
  int consistent_count = 0;
  int arena_count = 0;
  for (int i = 0; i < 20; ++i) {
    const auto mappings = process->read_smaps();
    ASSERT_TRUE(mappings.ok());
    const auto report =
        read_heap(*process, *memory, *mappings, i % 4 != 3 ? HeapReadOptions{} : without_pause());
    ASSERT_TRUE(report.found);
    for (const auto& arena : report.arenas) {
      EXPECT_EQ(arena.resident.sum(), arena.rss_bytes);
      if (report.estimate) continue;
      ++arena_count;
      consistent_count += arena.consistent ? 1 : 0;
    }
  }
  EXPECT_GT(consistent_count * 10, arena_count * 8);
  EXPECT_FALSE(process->exited());
}

TEST(HeapPause, ALargeArenaThatStandsStill_IsExactOverSeveralShortStops) {
  Child child({heap_target(), "large_main", "9"});
  const auto said = parse(child.read_line());
  const auto process = Process::open(child.pid());
  const auto memory = ProcessMemory::open(*process);
  const auto mappings = process->read_smaps();
  // The best of some: a busy machine stops nobody sooner.
  std::uint64_t pause_ns = UINT64_MAX;
  for (int i = 0; i < 4; ++i) {
    const auto report = read_heap(*process, *memory, *mappings);
    ASSERT_TRUE(report.found);
    expect_identities(report);
    EXPECT_EQ(totals(report).free, said.fordblks);
    EXPECT_EQ(totals(report).system, said.arena);
    pause_ns = std::min(pause_ns, report.pause_ns);
  }
  EXPECT_LT(pause_ns, 30'000'000U);
  RecordProperty("pause_ms", std::to_string(static_cast<double>(pause_ns) / 1e6));
  const auto in_parts = read_heap(*process, *memory, *mappings, with_pauses_of(5'000'000));
  EXPECT_GT(in_parts.arenas.front().stop_count, 4U);
  EXPECT_EQ(totals(in_parts).free, said.fordblks);
  const auto at_once = read_heap(*process, *memory, *mappings, with_pauses_of(60'000'000'000));
  EXPECT_EQ(at_once.arenas.front().stop_count, 1U);
  EXPECT_EQ(totals(at_once).free, said.fordblks);
}

TEST(HeapPause, ALargeArenaThatChangesMeanwhile_IsAnEstimateNearTheTruth) {
  Child child({heap_target(), "restless_main", "10"});
  const auto ballast_bytes = std::stoull(child.read_line());
  const auto process = Process::open(child.pid());
  const auto memory = ProcessMemory::open(*process);
  for (int i = 0; i < 4; ++i) {
    const auto mappings = process->read_smaps();
    const auto report = read_heap(*process, *memory, *mappings, with_pauses_of(5'000'000));
    ASSERT_TRUE(report.found);
    const auto& arena = report.arenas.front();
    EXPECT_GT(arena.stop_count, 4U);
    EXPECT_FALSE(arena.consistent);
    EXPECT_EQ(arena.resident.sum(), arena.rss_bytes);
    // 4096 blocks of 1400 bytes on average come and go.
    EXPECT_GT(arena.obtained.live_bytes, ballast_bytes - ballast_bytes / 50);
    EXPECT_LT(arena.obtained.live_bytes, ballast_bytes + ballast_bytes / 50 + (8U << 20));
  }
}

TEST(HeapExit, TargetEndsWhileBeingRead_IsANormalOutcome) {
  for (int i = 0; i < 20; ++i) {
    Child child({heap_target(), "restless", "6"});
    ASSERT_EQ(child.read_line(), "restless");
    const auto process = Process::open(child.pid());
    const auto memory = ProcessMemory::open(*process);
    const auto mappings = process->read_smaps();
    ASSERT_TRUE(mappings.ok());
    std::thread end([&, i] {
      std::this_thread::sleep_for(std::chrono::microseconds(300 * i));
      ::kill(child.pid(), SIGKILL);
    });
    for (;;) {
      const auto stacks = find_thread_stacks(*process, *memory, *mappings);
      HeapReadOptions options;
      if (stacks) options.threads = *stacks;
      const auto report = read_glibc_heap(*process, *memory, *mappings, options);
      if (report) continue;
      EXPECT_EQ(report.error().what, process->exit_error().what);
      EXPECT_TRUE(process->exited());
      break;
    }
    end.join();
  }
}

Bytes swapped_bytes(const std::vector<Mapping>& mappings, const HeapReport& report) {
  Bytes bytes = 0;
  for (const auto& mapping : mappings)
    for (const auto& segment : report.arenas.front().segments)
      if (mapping.range.overlaps(segment)) bytes += mapping.swap_bytes;
  return bytes;
}

/// Asks the kernel to swap a part of the child's memory out.
void page_out(const Child& child, Range range) {
  constexpr int kPageOut = 21;  // MADV_PAGEOUT
  const auto pidfd = ::syscall(SYS_pidfd_open, child.pid(), 0);
  const iovec part{reinterpret_cast<void*>(range.begin), range.size()};  // NOLINT: the child's address
  EXPECT_EQ(::syscall(SYS_process_madvise, pidfd, &part, 1UL, kPageOut, 0U),
            static_cast<long>(range.size()));
  ::close(static_cast<int>(pidfd));
}

TEST(HeapSwap, PagesInSwap_StayThereAndAreSaid) {
  if (std::getenv("HEAP_SWAP") == nullptr) GTEST_SKIP() << "no swap";
  Child child({heap_target(), "main_only", "8"});
  ASSERT_NE(child.read_line(), "");
  const auto process = Process::open(child.pid());
  const auto memory = ProcessMemory::open(*process);
  const auto whole = read_heap(*process, *memory, *process->read_smaps());
  const Range segment = whole.arenas.front().segments.front();
  const Address middle = segment.begin + align_down(segment.size() / 2, kPageBytes);
  page_out(child, {middle, middle + align_down(segment.size() / 4, kPageBytes)});
  const auto before = process->read_smaps();
  const auto report = read_heap(*process, *memory, *before);
  const auto after = process->read_smaps();
  const auto& arena = report.arenas.front();
  ASSERT_GT(arena.swapped_bytes, segment.size() / 8);
  EXPECT_EQ(arena.swapped_bytes, swapped_bytes(*before, report));
  EXPECT_EQ(arena.swapped_bytes, swapped_bytes(*after, report)) << "the reader brought pages back";
  EXPECT_FALSE(arena.consistent);
  EXPECT_EQ(report.retries, 0U);
  EXPECT_EQ(arena.resident.sum(), arena.rss_bytes);
  EXPECT_EQ(arena.rss_bytes + arena.swapped_bytes, whole.arenas.front().rss_bytes);
  // What is still there is still told apart: no part grew, and no more than the gaps' edges were lost.
  const auto& parts = whole.arenas.front().resident;
  EXPECT_LE(arena.resident.live_bytes, parts.live_bytes);
  EXPECT_GT(arena.resident.live_bytes, parts.live_bytes / 2);
  EXPECT_LT(arena.resident.metadata_bytes, parts.metadata_bytes + arena.rss_bytes / 50);
}

TEST(HeapSpeed, AGigabyte_StaysWithinItsBudgets) {
  Child child({heap_target(), "gigabyte", "7"});
  const auto said = parse(child.read_line());
  const auto process = Process::open(child.pid());
  const auto memory = ProcessMemory::open(*process);
  const auto mappings = process->read_smaps();
  // The best of some readings: what the reader takes, not what else the machine is doing.
  double seconds = 1e9;
  double pause_ms_per_128_mb = 1e9;
  for (int i = 0; i < 8; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto report = read_heap(*process, *memory, *mappings);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    EXPECT_EQ(totals(report).free, said.fordblks);
    Bytes largest = 0;
    for (const auto& arena : report.arenas) largest = std::max(largest, arena.rss_bytes);
    const double pause_ms = static_cast<double>(report.pause_ns) / 1e6;
    seconds = std::min(seconds, taken.count());
    pause_ms_per_128_mb =
        std::min(pause_ms_per_128_mb, pause_ms * 128e6 / static_cast<double>(largest));
  }
  RecordProperty("seconds", std::to_string(seconds));
  RecordProperty("pause_ms_per_128_mb", std::to_string(pause_ms_per_128_mb));
  EXPECT_LT(seconds, 1.5);
  EXPECT_LT(pause_ms_per_128_mb, 30.0);
}

}  // namespace
}  // namespace offheap
