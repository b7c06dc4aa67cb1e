// SPDX-License-Identifier: Apache-2.0
// Blocks are counted by jemalloc itself: its statistics in the recording follow what the program holds,
// also one that frees all at once and then does nothing any more.
// backends: jemalloc -- other backends' blocks are counted by the shim (each_thread, quiet_sum)
// env: OFFHEAP_SAMPLE=4K
// expect: followed
#include <unistd.h>

#include <vector>

#include "own_recording.h"

namespace {
constexpr int kBlocks = 100'000;
// jemalloc counts what it has handed to thread caches as handed out: at most 200 blocks of a size
// there, and 40 sizes of which this program and its libraries use few.
constexpr int64_t kCached = 2'000;

/// jemalloc's count after its next refresh, which comes with a sample once it is due.
int64_t block_count(const recording::Recording& recording) {
  uint64_t epoch = recording.header.backend.epoch_count;
  for (int i = 0; i < 1'000 && recording.header.backend.epoch_count < epoch + 1; ++i) {
    for (int j = 0; j < 1'000; ++j) free(used(malloc(100)));
    usleep(10'000);
  }
  CHECK(recording.header.backend.epoch_count > epoch);
  return static_cast<int64_t>(recording.header.backend.block_count);
}

void check_near(int64_t counted, int64_t truth) {
  if (llabs(counted - truth) <= kCached) return;
  fprintf(stderr, "jemalloc counts %" PRId64 " blocks more, true %" PRId64 "\n", counted, truth);
  _Exit(1);
}
}  // namespace

int main() {
  const recording::Recording* recording = own::find_recording();
  CHECK(recording);
  std::vector<void*> blocks(kBlocks);
  int64_t start = block_count(*recording);
  for (void*& block : blocks) block = used(malloc(500));
  check_near(block_count(*recording) - start, kBlocks);
  for (void* block : blocks) free(block);
  CHECK(static_cast<int64_t>(recording->header.backend.block_count) - start < kBlocks / 10);
  check_near(block_count(*recording) - start, 0);
  puts("followed");
}
