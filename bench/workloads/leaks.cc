// SPDX-License-Identifier: Apache-2.0
//
// Three sites leak 100, 30 and 1 MB amid twenty times as much churn of ten other sites, which keep 10
// MB alive. What a sampling profiler must get right, and how fast it is meanwhile.
//
//   leaks [PERCENT] [pause]              of that size; waits for a signal at the end, to be looked at
//
// Prints what each site leaked, in requested bytes, its peak, and nanoseconds of CPU time an
// allocation.
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "bench/workloads/figures.h"

namespace {

uint32_t random_state = 2463534242;

uint32_t next_random() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  return random_state ^= random_state << 5;
}

uint64_t allocation_count = 0;

[[gnu::noinline]] char* allocate(size_t bytes) {
  ++allocation_count;
  char* block = static_cast<char*>(std::malloc(bytes));
  block[0] = 1;
  return block;
}

/// A leaking site: what it lost can be reached no more.
struct Leak {
  const char* name;
  uint64_t wanted_bytes;
  size_t (*leak)();
  uint64_t leaked_bytes = 0;
};

[[gnu::noinline]] size_t session_cache() {
  size_t bytes = 512 + next_random() % 1024;
  *allocate(bytes) = 2;
  return bytes;
}
[[gnu::noinline]] size_t dns_entry() {
  *allocate(240) = 2;
  return 240;
}
[[gnu::noinline]] size_t log_tag() {
  *allocate(48) = 2;
  return 48;
}

constexpr size_t kChurnSites = 10;
std::array<std::array<void*, 2000>, kChurnSites> churn_blocks;

template <size_t kSite>
[[gnu::noinline]] size_t churn() {
  size_t bytes = 32 + next_random() % (kSite * 180 + 100);
  void*& block = churn_blocks[kSite][next_random() % churn_blocks[kSite].size()];
  std::free(block);
  block = allocate(bytes);
  return bytes;
}

template <size_t... kSites>
size_t churn_once(size_t site, std::index_sequence<kSites...>) {
  size_t bytes = 0;
  ((kSites == site ? bytes = churn<kSites>() : 0), ...);
  return bytes;
}

/// Leaks until the site's share of the progress made so far is reached.
void leak_up_to(Leak& site, uint64_t churned_bytes, uint64_t churn_total_bytes) {
  double share = static_cast<double>(churned_bytes) / static_cast<double>(churn_total_bytes);
  while (static_cast<double>(site.leaked_bytes) < share * static_cast<double>(site.wanted_bytes))
    site.leaked_bytes += site.leak();
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t percent = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100;
  std::array<Leak, 3> leaks = {{{"session_cache", 1'000'000 * percent, session_cache},
                                {"dns_entry", 300'000 * percent, dns_entry},
                                {"log_tag", 10'000 * percent, log_tag}}};
  uint64_t churn_total_bytes = 26'200'000 * percent;
  double begin_ns = figures::process_cpu_ns();
  for (uint64_t churned_bytes = 0; churned_bytes < churn_total_bytes;) {
    churned_bytes += churn_once(next_random() % kChurnSites, std::make_index_sequence<kChurnSites>());
    for (Leak& leak : leaks) leak_up_to(leak, churned_bytes, churn_total_bytes);
  }
  double elapsed_ns = figures::process_cpu_ns() - begin_ns;
  for (const Leak& leak : leaks)
    std::printf("%s %llu\n", leak.name, static_cast<unsigned long long>(leak.leaked_bytes));
  figures::print_peak();
  std::printf("ns %.3f\n", elapsed_ns / static_cast<double>(allocation_count));
  std::fflush(stdout);
  if (argc > 2 && std::strcmp(argv[2], "pause") == 0) pause();
}
