// SPDX-License-Identifier: Apache-2.0
// A program that is not position independent and holds malloc's address stands in for it by an entry of
// its PLT. That is no malloc of its own: its allocations are counted, and under the backend's name.
// expect: counted
#include "own_recording.h"

int main() {
  void* (*volatile allocate)(size_t) = malloc;
  CHECK(reinterpret_cast<uintptr_t>(allocate) < 1u << 28);  // in the program
  const recording::Recording* recording = own::find_recording();
  CHECK(recording);
  CHECK((recording->header.flags & recording::kFlagBypassed) == 0);
  const own::Counts before = own::process_counts(*recording);
  free(used(allocate(100'000)));
  CHECK(own::process_counts(*recording).in_bytes - before.in_bytes >= 100'000);
  puts("counted");
}
