// SPDX-License-Identifier: Apache-2.0
// OFFHEAP_SAMPLE=off: counted, never sampled.
// env: OFFHEAP_SAMPLE=off
// expect: counted
#include "own_recording.h"

int main() {
  const recording::Recording* recording = own::find_recording();
  CHECK(recording);
  own::Counts before = own::process_counts(*recording);
  for (int i = 0; i < 100000; ++i) free(used(malloc(1000)));
  own::Counts change = own::process_counts(*recording) - before;
  CHECK(change.in_bytes >= 100000 * 1000);
  CHECK(!own::counts_blocks(recording->header) || change.in_count == 100000);
  CHECK(recording->header.self.sample_count == 0);
  puts("counted");
}
