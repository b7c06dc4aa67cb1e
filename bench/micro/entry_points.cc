// SPDX-License-Identifier: Apache-2.0
//
// What one call of each entry point costs, by size and by number of threads. Every call is made back to
// back, which is the best case for caches and predictors; the workloads beside this folder have the
// patterns of programs. Knows nothing of the shim: ../micro.py runs it bare and preloaded in turns.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <array>
#include <cstdlib>
#include <new>

namespace {

size_t size_of(const benchmark::State& state) { return static_cast<size_t>(state.range(0)); }

/// Times `make` and `drop` of one block in turns.
template <typename Make, typename Drop>
void time_pairs(benchmark::State& state, Make make, Drop drop) {
  size_t size = size_of(state);
  for (auto _ : state) {
    void* block = make(size);
    benchmark::DoNotOptimize(block);
    drop(block, size);
  }
}

void free_block(void* block, size_t) { std::free(block); }

void malloc_free(benchmark::State& state) {
  time_pairs(
      state, [](size_t size) { return std::malloc(size); }, free_block);
}

void calloc_free(benchmark::State& state) {
  time_pairs(
      state, [](size_t size) { return std::calloc(1, size); }, free_block);
}

void aligned_alloc_free(benchmark::State& state) {
  time_pairs(
      state, [](size_t size) { return std::aligned_alloc(64, (size + 63) / 64 * 64); }, free_block);
}

void posix_memalign_free(benchmark::State& state) {
  auto make = [](size_t size) {
    void* block = nullptr;
    return posix_memalign(&block, 64, size) == 0 ? block : nullptr;
  };
  time_pairs(state, make, free_block);
}

void new_delete(benchmark::State& state) {
  auto make = [](size_t size) { return operator new(size); };
  time_pairs(state, make, [](void* block, size_t size) { operator delete(block, size); });
}

void new_delete_aligned(benchmark::State& state) {
  constexpr std::align_val_t kAlignment{64};
  auto make = [](size_t size) { return operator new(size, kAlignment); };
  time_pairs(state, make, [](void* block, size_t size) { operator delete(block, size, kAlignment); });
}

/// 100 blocks are taken, then given back: thread caches run over.
void malloc_free_100(benchmark::State& state) {
  size_t size = size_of(state);
  std::array<void*, 100> blocks;
  for (auto _ : state) {
    for (void*& block : blocks) benchmark::DoNotOptimize(block = std::malloc(size));
    for (void* block : blocks) std::free(block);
  }
}

/// A block that grows to twice its size and is made anew.
void realloc_free(benchmark::State& state) {
  auto make = [](size_t size) { return std::realloc(std::malloc(size), 2 * size); };
  time_pairs(state, make, free_block);
}

void usable_size(benchmark::State& state) {
  void* block = std::malloc(size_of(state));
  for (auto _ : state) benchmark::DoNotOptimize(malloc_usable_size(block));
  std::free(block);
}

constexpr std::array<int64_t, 3> kSizes = {16, 1000, 40'000};
constexpr std::array<int, 3> kThreads = {1, 2, 4};

void of_every_size_and_thread_count(benchmark::internal::Benchmark* benchmark) {
  for (int64_t size : kSizes) benchmark->Arg(size);
  for (int threads : kThreads) benchmark->Threads(threads);
}

BENCHMARK(malloc_free)->Apply(of_every_size_and_thread_count);
BENCHMARK(malloc_free_100)->Apply(of_every_size_and_thread_count);
BENCHMARK(calloc_free)->Apply(of_every_size_and_thread_count);
BENCHMARK(realloc_free)->Apply(of_every_size_and_thread_count);
BENCHMARK(aligned_alloc_free)->Apply(of_every_size_and_thread_count);
BENCHMARK(posix_memalign_free)->Apply(of_every_size_and_thread_count);
BENCHMARK(new_delete)->Apply(of_every_size_and_thread_count);
BENCHMARK(new_delete_aligned)->Apply(of_every_size_and_thread_count);
BENCHMARK(usable_size)->Arg(1000);

}  // namespace

BENCHMARK_MAIN();
