// SPDX-License-Identifier: Apache-2.0
//
// A server after Larson and Krishnan ("Memory allocation for long-running server applications", 1998):
// four lines of threads, in each of which a thread replaces blocks of 16 to 1023 bytes at random,
// starts its successor, hands its 5,000 live blocks over, and ends. Blocks are freed by threads that
// did not make them, in heaps of threads that are no more.
//
//   successors PAIRS                     pairs a line, in ten generations
//
// Prints its peak and nanoseconds of CPU time a pair.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <thread>
#include <vector>

#include "bench/workloads/figures.h"

namespace {

constexpr size_t kLines = 4;
constexpr int kGenerations = 10;
constexpr size_t kBlocks = 5'000;

std::latch all_ended(kLines);

struct Line {
  std::vector<void*> blocks;
  uint64_t pairs_per_generation;
  uint32_t state;
  int generations_left;
};

void serve(Line line) {
  for (uint64_t i = 0; i < line.pairs_per_generation; ++i) {
    line.state ^= line.state << 13;
    line.state ^= line.state >> 17;
    line.state ^= line.state << 5;
    void*& block = line.blocks[(uint64_t{line.state} * kBlocks) >> 32];
    std::free(block);
    block = std::malloc(16 + line.state % 1008);
    *static_cast<char*>(block) = 1;
  }
  if (--line.generations_left > 0) {
    std::thread(serve, std::move(line)).detach();
    return;
  }
  for (void* block : line.blocks) std::free(block);
  all_ended.count_down();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: successors PAIRS\n");
    return 2;
  }
  uint64_t pairs = std::strtoull(argv[1], nullptr, 10);
  double begin_ns = figures::process_cpu_ns();
  for (uint32_t i = 0; i < kLines; ++i)
    std::thread(serve, Line{std::vector<void*>(kBlocks), pairs / kGenerations, i + 1, kGenerations})
        .detach();
  all_ended.wait();
  double elapsed_ns = figures::process_cpu_ns() - begin_ns;
  figures::print_peak();
  std::printf("%.3f\n", elapsed_ns / static_cast<double>(pairs * kLines));
}
