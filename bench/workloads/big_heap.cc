// SPDX-License-Identifier: Apache-2.0
//
// A heap to be looked at: four threads fill MEGABYTES in blocks of 16 to 1023 bytes, free every third,
// say so, and wait for a signal.
//
//   big_heap MEGABYTES
#include <unistd.h>

#include <array>
#include <barrier>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace {

constexpr size_t kThreads = 4;
std::barrier all_filled(kThreads + 1);

void fill(size_t bytes, uint32_t state) {
  std::vector<void*> blocks;
  for (size_t filled = 0; filled < bytes;) {
    state = state * 1664525 + 1013904223;
    size_t size = 16 + (state >> 8) % 1008;
    blocks.push_back(std::memset(std::malloc(size), 1, size));
    filled += size;
  }
  for (size_t i = 0; i < blocks.size(); i += 3) std::free(blocks[i]);
  all_filled.arrive_and_wait();
  pause();
}

}  // namespace

int main(int argc, char** argv) {
  size_t bytes = (argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1024) << 20;
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < kThreads; ++i) threads.emplace_back(fill, bytes / kThreads, i + 1);
  all_filled.arrive_and_wait();
  std::puts("filled");
  std::fflush(stdout);
  for (auto& thread : threads) thread.join();
}
