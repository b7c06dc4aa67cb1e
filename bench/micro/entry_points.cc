// SPDX-License-Identifier: Apache-2.0
//
// What one call of each entry point costs, back to back: best case for caches and predictors. Run it
// bare and under LD_PRELOAD and compare; bench/ratio.py does so with real patterns.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstdlib>
#include <new>

namespace {

size_t size_of(const benchmark::State& state) { return static_cast<size_t>(state.range(0)); }

void malloc_free(benchmark::State& state) {
  for (auto _ : state) {
    void* block = std::malloc(size_of(state));
    benchmark::DoNotOptimize(block);
    std::free(block);
  }
}
BENCHMARK(malloc_free)->Arg(16)->Arg(100)->Arg(1000)->Arg(10'000)->Arg(200'000)->ThreadRange(1, 2);

void calloc_free(benchmark::State& state) {
  for (auto _ : state) {
    void* block = std::calloc(1, size_of(state));
    benchmark::DoNotOptimize(block);
    std::free(block);
  }
}
BENCHMARK(calloc_free)->Arg(16)->Arg(1000);

void new_delete(benchmark::State& state) {
  for (auto _ : state) {
    void* block = operator new(size_of(state));
    benchmark::DoNotOptimize(block);
    operator delete(block, size_of(state));
  }
}
BENCHMARK(new_delete)->Arg(16)->Arg(100)->Arg(1000);

void aligned_alloc_free(benchmark::State& state) {
  for (auto _ : state) {
    void* block = std::aligned_alloc(64, size_of(state));
    benchmark::DoNotOptimize(block);
    std::free(block);
  }
}
BENCHMARK(aligned_alloc_free)->Arg(64)->Arg(1024);

/// A buffer that doubles from 16 bytes to 64 KiB.
void realloc_growth(benchmark::State& state) {
  for (auto _ : state) {
    void* block = nullptr;
    for (size_t size = 16; size <= 65536; size *= 2) block = std::realloc(block, size);
    benchmark::DoNotOptimize(block);
    std::free(block);
  }
}
BENCHMARK(realloc_growth);

void usable_size(benchmark::State& state) {
  void* block = std::malloc(100);
  for (auto _ : state) benchmark::DoNotOptimize(malloc_usable_size(block));
  std::free(block);
}
BENCHMARK(usable_size);

}  // namespace

BENCHMARK_MAIN();
