// SPDX-License-Identifier: Apache-2.0
//
// The recorder, compiled into an ordinary program, over libc's own malloc: slots are taken, sampled
// into and folded by threads that come and go, while others read. Under the thread sanitizer this shows
// who writes what is not his; without it, that no count is lost.
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "libshim/counting.h"
#include "libshim/entries.h"
#include "libshim/timeline.h"
#include "libshim/unwind/unwinder.h"

extern "C" const char __ehdr_start[] __attribute__((visibility("hidden")));
extern "C" const char _end[] __attribute__((visibility("hidden")));

/// A thread's counters have one writer, by plain adds, and readers that may see them one operation old:
/// by design, on x86-64 (counting.h). All else must be free of races.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race:^shim::count_in\nrace:^count_in\nrace:^free_into\nrace:cell_of\nrace:^charge\nrace:"
         "totals_of\n";
}

namespace shim {

constinit EntryTable entry = {};
void bootstrap() {}

namespace {

backends::Backend libc_backend() {
  backends::Backend backend{};
  backend.kind = recording::BackendKind::kForeign;
  backend.name = "libc";
  backend.malloc = ::malloc;
  backend.free = ::free;
  backend.calloc = ::calloc;
  backend.realloc = ::realloc;
  backend.usable_size = ::malloc_usable_size;
  return backend;
}

void begin_recording() {
  static const backends::Backend kBackend = libc_backend();
  active_backend = kBackend;
  the_backend = &kBackend;
  the_options.sample_bytes = 2048;
  tags_init();
  register_handlers();
  ASSERT_TRUE(open_recording(the_options, the_backend));
  unwind_init(reinterpret_cast<uint64_t>(__ehdr_start), reinterpret_cast<uint64_t>(_end));
  start_sampler();
  entry = counting_entries<ForeignPolicy>();
  free_of_threads = entry.free;
}

constexpr int kThreads = 8;
constexpr int kShared = 256;
std::atomic<void*> blocks[kShared];
std::atomic<uint64_t> in_bytes{0};
std::atomic<uint64_t> out_bytes{0};

void release(void* block) {
  if (!block) return;
  out_bytes += malloc_usable_size(block);
  free_block(block);
}

void work(unsigned seed) {
  std::minstd_rand random(seed);
  for (int i = 0; i < 60; ++i) {
    void* block = entry.malloc(random() % 3000);
    in_bytes += malloc_usable_size(block);
    release(blocks[random() % kShared].exchange(block));
  }
}

/// Slots that have an owner, each once.
int owned_slots() {
  int count = 0;
  for (const ThreadSlot& slot : the_recording->threads)
    count += __atomic_load_n(&slot.tid, __ATOMIC_RELAXED) != 0;
  return count;
}

TEST(ShimRecorder, threads_that_come_and_go_lose_no_byte_and_no_slot) {
  begin_recording();
  for (unsigned pack = 0; pack < 150; ++pack) {
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kThreads; ++i) threads.emplace_back(work, pack * kThreads + i + 1);
    for (std::thread& thread : threads) thread.join();
    Totals totals = sum_totals();
    ASSERT_EQ(totals.allocated_bytes, in_bytes.load()) << "pack " << pack;
    ASSERT_EQ(totals.freed_bytes, out_bytes.load()) << "pack " << pack;
    ASSERT_EQ(owned_slots(), 0) << "pack " << pack;
  }
  EXPECT_LE(the_recording->header.thread_high_water, 2U * kThreads);
  EXPECT_GT(the_recording->header.self.sample_count, 1000U);
  EXPECT_GT(the_recording->timeline.count, 0U);
  for (std::atomic<void*>& block : blocks) release(block.exchange(nullptr));
  EXPECT_EQ(sum_totals().live_bytes(), 0);
}

}  // namespace
}  // namespace shim
