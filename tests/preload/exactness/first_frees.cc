// SPDX-License-Identifier: Apache-2.0
// Threads whose first calls are frees of what another has allocated; some of them allocate later, some
// end before they did. No byte of it is lost, or counted twice, and no slot is taken for a few frees.
// expect: exact
#include <malloc.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <thread>

#include "own_recording.h"

namespace {
constexpr unsigned kThreads = 60;
constexpr unsigned kBlocks = 200;
constexpr unsigned kFreesWithoutSlot = 64;

std::array<std::array<void*, kBlocks>, kThreads> blocks;

/// Thread `index` frees so many before it allocates for the first time, if it does: one at least, but
/// for the first.
unsigned frees_of(unsigned index) { return index * kBlocks / kThreads; }

void work(unsigned index, const recording::Recording& recording) {
  unsigned frees = frees_of(index);
  for (unsigned i = 0; i < frees; ++i) free(blocks[index][i]);
  bool has_slot = own::find_slot(recording, static_cast<uint32_t>(gettid())) != nullptr;
  CHECK(has_slot == (frees > kFreesWithoutSlot));  // nobody would give it back after the destructors
  if (index % 3 == 0) return;
  blocks[index][0] = used(malloc(1000 + index));
  for (unsigned i = frees; i < kBlocks; ++i) free(blocks[index][i]);
}

void run_one(unsigned index, const recording::Recording& recording) {
  for (unsigned i = 0; i < kBlocks; ++i)
    blocks[index][i] = used(malloc(1 + (i * 37 + index * 11) % 5000));
  own::Counts start = own::process_counts(recording);
  int64_t before = 0;
  for (void* block : blocks[index]) before += static_cast<int64_t>(malloc_usable_size(block));
  std::thread(work, index, std::cref(recording)).join();
  int64_t after = 0;
  int64_t count = 0;
  if (index % 3 == 0) {
    for (unsigned i = frees_of(index); i < kBlocks; ++i, ++count)
      after += static_cast<int64_t>(malloc_usable_size(blocks[index][i]));
  } else {
    after = static_cast<int64_t>(malloc_usable_size(blocks[index][0]));
    count = 1;
  }
  char when[64];
  snprintf(when, sizeof when, "after a thread whose first calls were %u frees", frees_of(index));
  own::check_live(when, recording, start, after - before, count - static_cast<int64_t>(kBlocks));
}
}  // namespace

int main() {
  const recording::Recording* recording = own::find_recording();
  CHECK(recording);
  std::thread([] { free(used(malloc(1))); }).join();  // a thread's stack and tables stay cached
  for (unsigned index = 0; index < kThreads; ++index) run_one(index, *recording);
  puts("exact");
}
