// SPDX-License-Identifier: Apache-2.0
//
// Two producers make messages of 32 to 543 bytes and two consumers read and free them: every block is
// freed by a thread that did not make it, which no thread cache serves for long.
//
//   queue MESSAGES                       messages a producer
//
// Prints its peak and nanoseconds of CPU time a message.
#include <array>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

#include "bench/workloads/figures.h"

namespace {

/// Messages change hands by the batch, so that what is timed is the allocator and not the queue's lock.
constexpr size_t kBatch = 256;
constexpr size_t kMostBatches = 64;
using Batch = std::array<unsigned char*, kBatch>;

class Queue {
 public:
  void put(const Batch& batch) {
    std::unique_lock lock(mutex_);
    has_room_.wait(lock, [&] { return batches_.size() < kMostBatches; });
    batches_.push_back(batch);
    has_batch_.notify_one();
  }

  Batch take() {
    std::unique_lock lock(mutex_);
    has_batch_.wait(lock, [&] { return !batches_.empty(); });
    Batch batch = batches_.front();
    batches_.pop_front();
    has_room_.notify_one();
    return batch;
  }

 private:
  std::mutex mutex_;
  std::condition_variable has_room_;
  std::condition_variable has_batch_;
  std::deque<Batch> batches_;
};

Queue queue;

void produce(uint64_t batches, uint32_t state) {
  for (uint64_t i = 0; i < batches; ++i) {
    Batch batch;
    for (unsigned char*& message : batch) {
      state = state * 1664525 + 1013904223;
      size_t size = 32 + (state >> 8) % 512;
      message = static_cast<unsigned char*>(std::malloc(size));
      std::memset(message, static_cast<int>(state >> 24), 32);
    }
    queue.put(batch);
  }
}

void consume(uint64_t batches, uint64_t* sum) {
  for (uint64_t i = 0; i < batches; ++i) {
    for (unsigned char* message : queue.take()) {
      *sum += message[31];
      std::free(message);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: queue MESSAGES\n");
    return 2;
  }
  uint64_t batches = std::strtoull(argv[1], nullptr, 10) / kBatch;
  std::array<uint64_t, 2> sums{};
  double begin_ns = figures::process_cpu_ns();
  std::array<std::thread, 4> threads{std::thread(produce, batches, 1), std::thread(produce, batches, 2),
                                     std::thread(consume, batches, &sums[0]),
                                     std::thread(consume, batches, &sums[1])};
  for (std::thread& thread : threads) thread.join();
  double elapsed_ns = figures::process_cpu_ns() - begin_ns;
  std::printf("read %llu\n", static_cast<unsigned long long>(sums[0] + sums[1]));
  figures::print_peak();
  std::printf("%.3f\n", elapsed_ns / static_cast<double>(2 * batches * kBatch));
}
