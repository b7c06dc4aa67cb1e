// SPDX-License-Identifier: Apache-2.0
// Threads allocate, reallocate and free at random, each other's blocks included. Once they are quiet,
// the recording's live bytes equal the usable bytes of the blocks that live, to the byte.
// env: OFFHEAP_SAMPLE=16K
// expect: no byte lost
#include <malloc.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "own_recording.h"

namespace {
constexpr int kThreads = 4;
constexpr int kRounds = 3;
constexpr int kOperations = 400'000;  // a thread and round
constexpr size_t kSlots = 4096;

/// Shared by all threads: whoever swaps a block out owns it.
std::array<std::atomic<void*>, kSlots> slots;

class Worker {
 public:
  explicit Worker(unsigned seed) : random_(seed) {}

  void run() {
    for (int i = 0; i < kOperations; ++i) {
      void* old = slots[random_() % kSlots].exchange(nullptr);
      put(random_() % 8 == 0 ? reallocate(old) : replace(old));
    }
  }

 private:
  size_t size() {
    auto kind = random_() % 100;
    if (kind < 90) return random_() % 1024;
    return kind < 99 ? random_() % 65536 : random_() % (512 << 10);
  }

  void* allocate() {
    void* block = nullptr;
    switch (random_() % 8) {
      case 0:
        return calloc(1 + random_() % 4, size() / 4);
      case 1:
        return memalign(size_t{16} << random_() % 9, size());
      case 2:
        CHECK(posix_memalign(&block, size_t{8} << random_() % 10, size()) == 0);
        return block;
      case 3:
        return operator new(size());
      default:
        return malloc(size());
    }
  }

  void* replace(void* old) {
    if (random_() % 2)
      free(old);
    else
      operator delete(old);
    return random_() % 16 ? allocate() : nullptr;
  }

  void* reallocate(void* old) {
    if (random_() % 64 == 0) CHECK(!realloc(old, opaque(PTRDIFF_MAX)));
    return realloc(old, size() + 1);
  }

  void put(void* block) { free(slots[random_() % kSlots].exchange(used(block))); }

  std::minstd_rand random_;
};

void run_threads(unsigned seed) {
  std::array<std::thread, kThreads> threads;
  for (unsigned i = 0; i < kThreads; ++i) threads[i] = std::thread([=] { Worker(seed + i).run(); });
  for (auto& thread : threads) thread.join();
}

void check_sum(const recording::Recording& recording, const own::Counts& start) {
  int64_t live_bytes = 0;
  int64_t live_count = 0;
  for (auto& slot : slots) {
    void* block = slot.load();
    live_bytes += static_cast<int64_t>(malloc_usable_size(block));
    live_count += block != nullptr;
  }
  own::check_live("once the threads are quiet", recording, start, live_bytes, live_count);
}

void free_all() {
  for (auto& slot : slots) free(slot.exchange(nullptr));
}
}  // namespace

int main() {
  const recording::Recording* recording = own::find_recording();
  CHECK(recording);
  run_threads(1);  // the threads' stacks and tables stay cached, so that they do not count below
  free_all();
  own::Counts start = own::process_counts(*recording);
  for (unsigned round = 1; round <= kRounds; ++round) {
    run_threads(round * 100);
    check_sum(*recording, start);
  }
  free_all();
  check_sum(*recording, start);
  puts("no byte lost");
}
