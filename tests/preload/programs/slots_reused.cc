// SPDX-License-Identifier: Apache-2.0
// A thousand threads, one after the other, use few slots; their counts are folded, none lost.
// expect: folded
#include <malloc.h>

#include <thread>

#include "own_recording.h"

int main() {
  const recording::Recording* recording = own::find_recording();
  CHECK(recording);
  std::thread([] { free(used(malloc(100))); }).join();  // its stack and tables stay cached
  own::Counts before = own::process_counts(*recording);
  int64_t kept_bytes = 0;
  for (int i = 0; i < 1000; ++i)
    std::thread([&kept_bytes, i] {
      void* kept = used(malloc(opaque(static_cast<size_t>(i) * 5)));
      kept_bytes += static_cast<int64_t>(malloc_usable_size(kept));
    }).join();
  own::Counts change = own::process_counts(*recording) - before;
  bool same_count = !own::counts_blocks(recording->header) || change.live_count() == 1000;
  if (change.live_bytes() != kept_bytes || !same_count)
    fprintf(stderr, "live %" PRId64 " of %" PRId64 " bytes, %" PRId64 " blocks\n", change.live_bytes(),
            kept_bytes, change.live_count());
  CHECK(change.live_bytes() == kept_bytes && same_count);
  CHECK(recording->header.thread_high_water < 16);
  puts("folded");
}
