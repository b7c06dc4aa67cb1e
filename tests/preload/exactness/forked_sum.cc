// SPDX-License-Identifier: Apache-2.0
// The parent's sum stays exact while it forks and vforks children that allocate and free. (A child of a
// raw clone, of which nobody is told, counts with its parent until its first slow path.)
// env: OFFHEAP_SAMPLE=4K
// expect: no byte lost
// glibc: 2.34 -- _Fork
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "own_recording.h"

namespace {
std::array<void*, 256> blocks;

void churn(size_t seed) {
  for (size_t i = 0; i < 2000; ++i) {
    void*& block = blocks[(i * 7 + seed) % blocks.size()];
    free(block);
    block = used(malloc((i * 131 + seed) % 5000));
  }
}

void wait_for(pid_t child) {
  int status = 0;
  CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
        WEXITSTATUS(status) == 0);
}

void fork_and_churn(size_t seed) {
  pid_t child = seed % 2 == 0 ? fork() : _Fork();
  if (child == 0) {
    churn(seed);
    _exit(0);
  }
  churn(seed + 1);
  wait_for(child);
}

void vfork_and_exec() {
  pid_t child = vfork();
  if (child == 0) {
    execl("/bin/true", "true", static_cast<char*>(nullptr));
    _exit(1);
  }
  wait_for(child);
}
}  // namespace

int main() {
  const recording::Recording* recording = own::find_recording();
  CHECK(recording);
  own::Counts start = own::process_counts(*recording);
  for (size_t i = 0; i < 60; ++i) {
    fork_and_churn(i);
    if (i % 8 == 0) vfork_and_exec();
  }
  int64_t live_bytes = 0;
  for (void* block : blocks) live_bytes += static_cast<int64_t>(malloc_usable_size(block));
  own::Counts change = own::process_counts(*recording) - start;
  if (change.live_bytes() != live_bytes)
    fprintf(stderr, "recorded %" PRId64 ", true %" PRId64 "\n", change.live_bytes(), live_bytes);
  CHECK(change.live_bytes() == live_bytes);
  puts("no byte lost");
}
