// SPDX-License-Identifier: Apache-2.0
//
// Four threads replace blocks of 16 to 1023 bytes at random, each in its own 10,000 and, every fourth
// time, in those of its neighbour: blocks are freed by threads that did not make them.
//
//   cross_thread PAIRS                   pairs a thread
//
// Prints its peak and nanoseconds of CPU time a pair.
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "bench/workloads/figures.h"

namespace {

constexpr size_t kThreads = 4;
constexpr size_t kBlocks = 10'000;
std::array<std::array<std::atomic<void*>, kBlocks>, kThreads> blocks;

void replace_blocks(size_t thread, uint64_t pairs) {
  uint32_t state = static_cast<uint32_t>(2463534242 + thread);
  for (uint64_t i = 0; i < pairs; ++i) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    size_t owner = i % 4 == 0 ? (thread + 1) % kThreads : thread;
    void* made = std::malloc(16 + state % 1008);
    *static_cast<char*>(made) = 1;
    std::free(blocks[owner][(uint64_t{state} * kBlocks) >> 32].exchange(made));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: cross_thread PAIRS\n");
    return 2;
  }
  uint64_t pairs = std::strtoull(argv[1], nullptr, 10);
  double begin_ns = figures::process_cpu_ns();
  std::array<std::thread, kThreads> threads;
  for (size_t i = 0; i < kThreads; ++i) threads[i] = std::thread(replace_blocks, i, pairs);
  for (auto& thread : threads) thread.join();
  figures::print_peak();
  std::printf("%.3f\n", (figures::process_cpu_ns() - begin_ns) / static_cast<double>(pairs * kThreads));
}
