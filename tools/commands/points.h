// SPDX-License-Identifier: Apache-2.0
//
// Quantities over time, from the recording's timeline and from the looks of --for.
#pragma once

#include <vector>

#include "commands/look.h"
#include "verdict/trend.h"

namespace offheap {

struct Series {
  std::vector<TrendPoint> live;  ///< handed out and not freed: the recording's, else the heap's
  std::vector<TrendPoint> rss;
  std::vector<TrendPoint> direct;  ///< the program's own anonymous mappings
  std::vector<TrendPoint> stacks;
};

/// The series over the whole recording and all looks. Where the long view does not decide, because
/// something began lately, the looks' own stretch is taken instead.
Series series_of(const std::vector<Look>& looks);

/// The series of a recording alone.
Series series_of(const Snapshot& snapshot);

}  // namespace offheap
