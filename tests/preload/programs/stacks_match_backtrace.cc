// SPDX-License-Identifier: Apache-2.0
// Recorded stacks are those that backtrace() sees, from the caller's frame to the root.
// env: OFFHEAP_SAMPLE=1
// expect: 60 stacks are right
#include <execinfo.h>

#include <functional>

#include "own_recording.h"

namespace {
constexpr int kMaxFrames = 60;
const recording::Recording* the_recording;

bool compare_here() {
  void* stack[kMaxFrames + 8];
  int depth = backtrace(stack, kMaxFrames + 8);
  void* block = used(malloc(100));
  const recording::LiveSample* sample = own::find_sample(*the_recording, block);
  CHECK(sample && sample->site < recording::kSiteCapacity);
  const recording::Site& site = the_recording->sites[sample->site];
  bool same = site.frame_count == depth;
  for (int i = 1; same && i < depth; ++i)
    same = the_recording->frames[site.frame_begin + i] == reinterpret_cast<uintptr_t>(stack[i]);
  free(block);
  return same;
}

[[gnu::noinline]] int descend(int depth) {
  volatile char frame[24 + 16 * 7];
  frame[depth % 24] = 1;
  if (depth == 0) return compare_here();
  std::function<int(int)> next = descend;
  int below = depth % 3 ? next(depth - 1) : descend(depth - 1);
  return below + (frame[depth % 24] - 1);
}
}  // namespace

int main() {
  the_recording = own::find_recording();
  CHECK(the_recording);
  int right = 0;
  for (int i = 0; i < 60; ++i) right += descend(i % 15);
  printf("%d stacks are right\n", right);
}
