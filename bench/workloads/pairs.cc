// SPDX-License-Identifier: Apache-2.0
//
// Pairs of free and malloc, 16 to 1023 bytes, over 10,000 live blocks replaced at random: the plainest
// work that an allocator can be given, so that what a shim adds shows undiluted. Knows nothing of
// allocators but malloc and free.
//
//   pairs PAIRS [DEPTH] [main|thread]    under DEPTH frames of stack; in a thread other than the first
//
// Prints its peak and nanoseconds of CPU time a pair: the minimum and the median over stretches of
// PAIRS / 40, of which the first ten are left out.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "bench/workloads/figures.h"

namespace {

constexpr size_t kBlocks = 10'000;
std::array<void*, kBlocks> blocks;

/// A xorshift generator: what stands between two calls must be cheap.
uint32_t next_random(uint32_t state) {
  state ^= state << 13;
  state ^= state >> 17;
  return state ^ (state << 5);
}

[[gnu::noinline]] uint32_t replace_blocks(uint64_t pairs, uint32_t state) {
  for (uint64_t i = 0; i < pairs; ++i) {
    state = next_random(state);
    void*& block = blocks[(uint64_t{state} * kBlocks) >> 32];
    std::free(block);
    block = std::malloc(16 + state % 1008);
    *static_cast<char*>(block) = 1;
  }
  return state;
}

struct Work {
  uint64_t pairs;
  int depth;
};

constexpr size_t kStretches = 40;
constexpr size_t kWarmUp = 10;
std::array<double, kStretches - kWarmUp> ns_per_pair;

void time_stretches(uint64_t pairs) {
  uint32_t state = 2463534242;
  for (size_t i = 0; i < kStretches; ++i) {
    double begin_ns = figures::thread_cpu_ns();
    state = replace_blocks(pairs / kStretches, state);
    double elapsed_ns = figures::thread_cpu_ns() - begin_ns;
    if (i >= kWarmUp) ns_per_pair[i - kWarmUp] = elapsed_ns * kStretches / static_cast<double>(pairs);
  }
}

/// The result is of no use, but keeps each frame on the stack.
[[gnu::noinline]] int time_at_depth(const Work& work, int depth) {
  volatile int frame = depth;
  if (depth <= 1)
    time_stretches(work.pairs);
  else
    frame = time_at_depth(work, depth - 1) + 1;
  return frame;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: pairs PAIRS [DEPTH] [main|thread]\n");
    return 2;
  }
  Work work{std::strtoull(argv[1], nullptr, 10), argc > 2 ? std::atoi(argv[2]) : 1};
  auto run = [&] { time_at_depth(work, work.depth); };
  if (argc > 3 && std::strcmp(argv[3], "thread") == 0)
    std::thread(run).join();
  else
    run();
  std::sort(ns_per_pair.begin(), ns_per_pair.end());
  figures::print_peak();
  std::printf("%.3f %.3f\n", ns_per_pair.front(), ns_per_pair[ns_per_pair.size() / 2]);
}
