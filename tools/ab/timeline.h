// SPDX-License-Identifier: Apache-2.0
//
// RSS over time as it is drawn: of one run, thinned, and the median of an entry's runs. Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "ab/comparison.h"

namespace offheap::ab {

struct TimePoint {
  double seconds = 0;
  double bytes = 0;
};

/// At most `most` points of a run in order of time: of each stretch the one with the largest RSS, so
/// that no peak is lost. `tree`: with its descendants.
std::vector<TimePoint> thinned(const Row& row, bool tree, std::size_t most);

/// When the longest run ended, warm-up left out; 0 without any point.
double longest_seconds(const Comparison& comparison);

/// The median over the entry's runs at `steps` + 1 moments from 0 to `end_seconds`; it ends where fewer
/// than half of them still run. Between two points a run holds the earlier.
std::vector<TimePoint> median_timeline(const Comparison& comparison, std::size_t entry, bool tree,
                                       double end_seconds, std::size_t steps);

}  // namespace offheap::ab
