// SPDX-License-Identifier: Apache-2.0
// More threads live at once than the recording has slots, and under glibc more arenas than it has
// places: those without one share, and the sums of the process are exact all the same, while each
// thread frees what another has allocated.
// env: OFFHEAP_SAMPLE=64K
// env: MALLOC_ARENA_MAX=8192
// expect: exact with threads to spare
#include <malloc.h>
#include <pthread.h>

#include <array>
#include <random>

#include "own_recording.h"

namespace {
constexpr unsigned kThreads = recording::kThreadCapacity + 200;
constexpr unsigned kOperations = 200;

std::array<void*, kThreads> kept;
pthread_barrier_t barrier;

void* block_of_some_size(std::minstd_rand& random) { return used(malloc(1 + random() % 3000)); }

void* work(void* argument) {
  const auto index = static_cast<unsigned>(reinterpret_cast<uintptr_t>(argument));
  std::minstd_rand random(index + 1);
  free(used(malloc(1)));           // takes its slot, if one is left
  pthread_barrier_wait(&barrier);  // all live
  pthread_barrier_wait(&barrier);  // the start was noted
  for (unsigned i = 0; i < kOperations; ++i) free(block_of_some_size(random));
  kept[index] = block_of_some_size(random);
  pthread_barrier_wait(&barrier);  // all hold one
  pthread_barrier_wait(&barrier);  // that was looked at
  free(kept[(index + kThreads / 2) % kThreads]);
  pthread_barrier_wait(&barrier);  // all is freed
  pthread_barrier_wait(&barrier);  // that was looked at too
  return nullptr;
}
}  // namespace

int main() {
  const recording::Recording* recording = own::find_recording();
  CHECK(recording);
  CHECK(pthread_barrier_init(&barrier, nullptr, kThreads + 1) == 0);
  pthread_attr_t small;
  CHECK(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 64 << 10) == 0);
  static std::array<pthread_t, kThreads> threads;
  for (uintptr_t i = 0; i < kThreads; ++i)
    CHECK(pthread_create(&threads[i], &small, work, reinterpret_cast<void*>(i)) == 0);
  pthread_barrier_wait(&barrier);
  CHECK(recording->header.losses.thread_full_count >= kThreads - recording::kThreadCapacity);
  const own::Counts start = own::process_counts(*recording);
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  int64_t live_bytes = 0;
  for (void* block : kept) live_bytes += static_cast<int64_t>(malloc_usable_size(block));
  own::check_live("while each holds a block", *recording, start, live_bytes, kThreads);
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  own::check_live("when all is freed", *recording, start, 0, 0);
  pthread_barrier_wait(&barrier);
  for (pthread_t thread : threads) CHECK(pthread_join(thread, nullptr) == 0);
  puts("exact with threads to spare");
}
