// SPDX-License-Identifier: Apache-2.0
// Each thread's own counters say what it allocated and what it freed, to the byte, also when it frees
// other threads' blocks; its counts outlive it.
// env: OFFHEAP_SAMPLE=64K
// expect: every thread is right
#include <malloc.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <random>
#include <thread>
#include <vector>

#include "own_recording.h"

namespace {
constexpr int kThreads = 6;
constexpr int kBlocks = 20'000;

const recording::Recording* the_recording;
std::array<std::vector<void*>, kThreads> made;
pthread_barrier_t all_done;

/// What the calling thread's slot says now. It has a slot once it has allocated.
own::Counts my_counts() {
  const recording::ThreadSlot* slot = own::find_slot(*the_recording, static_cast<uint32_t>(gettid()));
  CHECK(slot);
  return own::slot_counts(the_recording->header, *slot);
}

/// Allocates kBlocks blocks and returns their usable bytes.
int64_t make_blocks(std::vector<void*>& blocks, unsigned seed) {
  std::minstd_rand random(seed);
  int64_t bytes = 0;
  for (auto& block : blocks) {
    block = used(malloc(random() % (random() % 100 ? 2000 : 300'000)));
    bytes += static_cast<int64_t>(malloc_usable_size(block));
  }
  return bytes;
}

int64_t free_blocks(std::vector<void*>& blocks) {
  int64_t bytes = 0;
  for (void* block : blocks) {
    bytes += static_cast<int64_t>(malloc_usable_size(block));
    free(block);
  }
  return bytes;
}

void check_equal(const char* what, int64_t recorded, int64_t truth) {
  if (recorded == truth) return;
  fprintf(stderr, "%s: recorded %" PRId64 ", true %" PRId64 "\n", what, recorded, truth);
  _Exit(1);
}

void check_blocks(const char* what, int64_t recorded) {
  if (own::counts_blocks(the_recording->header)) check_equal(what, recorded, kBlocks);
}

void work(unsigned index) {
  free(used(malloc(1)));
  own::Counts start = my_counts();
  int64_t made_bytes = make_blocks(made[index], index + 1);
  own::Counts after_making = my_counts() - start;
  check_equal("bytes in", after_making.in_bytes, made_bytes);
  check_equal("bytes out", after_making.out_bytes, 0);
  check_blocks("blocks in", after_making.in_count);
  pthread_barrier_wait(&all_done);
  int64_t freed_bytes = free_blocks(made[(index + 1) % kThreads]);
  own::Counts after_freeing = my_counts() - start;
  check_equal("bytes in", after_freeing.in_bytes, made_bytes);
  check_equal("bytes out", after_freeing.out_bytes, freed_bytes);
  check_blocks("blocks out", after_freeing.out_count);
}
}  // namespace

int main() {
  the_recording = own::find_recording();
  CHECK(the_recording);
  CHECK(pthread_barrier_init(&all_done, nullptr, kThreads) == 0);
  for (auto& blocks : made) blocks.resize(kBlocks);
  std::array<std::thread, kThreads> threads;
  for (unsigned i = 0; i < kThreads; ++i) threads[i] = std::thread(work, i);
  for (auto& thread : threads) thread.join();
  puts("every thread is right");
}
