// SPDX-License-Identifier: Apache-2.0
//
// In which order entries run: every round runs each entry once, in an order of its own, so that neither
// a machine that slows down nor what ran before favours one of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace offheap::ab {

struct Turn {
  std::size_t round = 0;  ///< warm-up rounds first
  std::size_t entry = 0;
  bool warm_up = false;
};

/// `warm_up` + `runs` rounds of all entries. The same seed gives the same order everywhere.
std::vector<Turn> make_schedule(std::size_t entries, std::size_t runs, std::size_t warm_up,
                                std::uint64_t seed);

}  // namespace offheap::ab
