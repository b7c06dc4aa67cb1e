// SPDX-License-Identifier: Apache-2.0
//
// Arenas left behind: THREADS threads at a time each fill MEGABYTES with blocks of 16 to 1023 bytes,
// which under glibc is an arena of its own in segments of 64 MiB, free all but one block in KEEP, and
// stay for SECONDS with next to nothing to do. How much stays resident is the allocator's doing alone.
//
//   arenas_left [THREADS] [MEGABYTES] [KEEP] [SECONDS]     16 threads, 24 MB, one in 256, 3 seconds
//
// Prints what it did in bytes requested, how many were resident when full and at the end, its peak, and
// nanoseconds of CPU time an allocation.
#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "bench/workloads/figures.h"

namespace {

/// Blocks are linked through their own memory: a list beside them would be one more block to keep,
/// which might pin all that lies below it.
struct Block {
  Block* next;
  size_t bytes;
};

struct Totals {
  std::atomic<uint64_t> allocation_count, allocated_bytes, freed_bytes;
};

struct Plan {
  uint64_t threads = 16;
  uint64_t bytes = 24'000'000;
  uint64_t keep = 256;
  double seconds = 3;
};

/// The oldest of the blocks that were made.
Block* fill(uint64_t wanted_bytes, uint32_t state, Totals& totals) {
  Block* oldest = nullptr;
  Block** last = &oldest;
  uint64_t filled_bytes = 0;
  uint64_t count = 0;
  for (; filled_bytes < wanted_bytes; ++count) {
    state = state * 1664525 + 1013904223;
    size_t bytes = 16 + (state >> 8) % 1008;
    Block* block = static_cast<Block*>(std::memset(std::malloc(bytes), 1, bytes));
    *block = {nullptr, bytes};
    *last = block;
    last = &block->next;
    filled_bytes += bytes;
  }
  totals.allocation_count += count;
  totals.allocated_bytes += filled_bytes;
  return oldest;
}

void free_most(Block* oldest, uint64_t keep, Totals& totals) {
  uint64_t freed_bytes = 0;
  uint64_t i = 0;
  for (Block* block = oldest; block; ++i) {
    Block* next = block->next;
    if (i % keep != 0) {
      freed_bytes += block->bytes;
      std::free(block);
    }
    block = next;
  }
  totals.freed_bytes += freed_bytes;
}

/// A server that rests is asked for something now and then, and an allocator may use that to give
/// memory back.
void rest(double seconds, uint32_t state) {
  auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < 100; ++i) {
      state = state * 1664525 + 1013904223;
      void* block = std::malloc(16 + (state >> 8) % 1008);
      *static_cast<char*>(block) = 1;
      std::free(block);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void fill_free_and_rest(const Plan& plan, uint32_t seed, Totals& totals, std::barrier<>& step) {
  Block* oldest = fill(plan.bytes, seed, totals);
  step.arrive_and_wait();  // all are full
  step.arrive_and_wait();  // and looked at
  free_most(oldest, plan.keep, totals);
  step.arrive_and_wait();  // all are free
  rest(plan.seconds, seed);
  step.arrive_and_wait();  // and rested
  step.arrive_and_wait();  // and looked at
}

void print(const char* name, uint64_t value) {
  std::printf("%s %llu\n", name, static_cast<unsigned long long>(value));
}

uint64_t resident_bytes() { return static_cast<uint64_t>(figures::status_kib("VmRSS:")) * 1024; }

void run(const Plan& plan) {
  Totals totals{};
  std::barrier<> step(static_cast<std::ptrdiff_t>(plan.threads) + 1);
  std::vector<std::thread> threads;
  double begin_ns = figures::process_cpu_ns();
  for (uint32_t i = 0; i < plan.threads; ++i)
    threads.emplace_back([&, i] { fill_free_and_rest(plan, i + 1, totals, step); });
  step.arrive_and_wait();
  uint64_t full_bytes = resident_bytes();
  step.arrive_and_wait();
  step.arrive_and_wait();
  double elapsed_ns = figures::process_cpu_ns() - begin_ns;
  step.arrive_and_wait();
  print("threads", plan.threads);
  print("allocated_bytes", totals.allocated_bytes);
  print("freed_bytes", totals.freed_bytes);
  print("live_bytes", totals.allocated_bytes - totals.freed_bytes);
  print("resident_full_bytes", full_bytes);
  print("resident_end_bytes", resident_bytes());
  figures::print_peak();
  std::printf("%.3f\n", elapsed_ns / static_cast<double>(totals.allocation_count));
  std::fflush(stdout);
  step.arrive_and_wait();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

int main(int argc, char** argv) {
  Plan plan;
  if (argc > 1) plan.threads = std::strtoull(argv[1], nullptr, 10);
  if (argc > 2) plan.bytes = std::strtoull(argv[2], nullptr, 10) * 1'000'000;
  if (argc > 3) plan.keep = std::strtoull(argv[3], nullptr, 10);
  if (argc > 4) plan.seconds = std::strtod(argv[4], nullptr);
  if (plan.threads == 0 || plan.bytes == 0 || plan.keep == 0) {
    std::fprintf(stderr, "usage: arenas_left [THREADS] [MEGABYTES] [KEEP] [SECONDS]\n");
    return 2;
  }
  run(plan);
}
