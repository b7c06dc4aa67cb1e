// SPDX-License-Identifier: Apache-2.0
// A forked child counts in a recording of its own: the parent's does not move.
// env: OFFHEAP_SAMPLE=4K
// expect: apart
#include <sys/wait.h>
#include <unistd.h>

#include "own_recording.h"

int main() {
  const recording::Recording* recording = own::find_recording();
  CHECK(recording);
  own::Counts before = own::process_counts(*recording);
  pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 10000; ++i) used(malloc(1000));
    const recording::Recording* own = own::find_recording();
    bool right = own && own->header.pid == static_cast<uint32_t>(getpid()) &&
                 (own->header.flags & recording::kFlagForked) &&
                 own::process_counts(*own).live_bytes() >= 10000 * 1000;
    _exit(right ? 9 : 1);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 9);
  own::Counts change = own::process_counts(*recording) - before;
  CHECK(change.in_count == 0 && change.out_count == 0 && change.live_bytes() == 0);
  puts("apart");
}
