// SPDX-License-Identifier: Apache-2.0
#include "ab/schedule.h"

#include <random>
#include <utility>

namespace offheap::ab {

std::vector<Turn> make_schedule(std::size_t entries, std::size_t runs, std::size_t warm_up,
                                std::uint64_t seed) {
  // Not std::shuffle: its order is the library's choice, and a seed must mean the same everywhere.
  std::mt19937_64 random(seed);
  std::vector<Turn> turns;
  std::vector<std::size_t> order(entries);
  for (std::size_t round = 0; round < warm_up + runs; ++round) {
    for (std::size_t i = 0; i < entries; ++i) order[i] = i;
    for (std::size_t i = entries; i > 1; --i) std::swap(order[i - 1], order[random() % i]);
    for (const std::size_t entry : order) turns.push_back({round, entry, round < warm_up});
  }
  return turns;
}

}  // namespace offheap::ab
