// SPDX-License-Identifier: Apache-2.0
//
// Growth from one look: when was born what is still alive. Inner part of the estimator.
#pragma once

#include <array>
#include <cstdint>

#include "recording/estimate.h"

namespace offheap {

/// Gathers one site's live bytes by birth and derives its growth.
///
/// The rate is the median over the windows between the first, where start-up stands, and the last,
/// where blocks stand that may be freed any moment. A median, since a step is not a slope: one window
/// that holds everything gives 0.
class BirthSum {
 public:
  BirthSum() = default;
  BirthSum(std::uint64_t start_ns, std::uint64_t taken_ns) : start_ns_(start_ns), taken_ns_(taken_ns) {}

  void add(std::uint64_t born_ns, double bytes, double variance);

  /// Sets born_by_window and, when observed long enough, the growth figures.
  void finish(SiteEstimate* out) const;

 private:
  [[nodiscard]] std::uint32_t window_of(std::uint64_t born_ns) const;

  std::uint64_t start_ns_ = 0;
  std::uint64_t taken_ns_ = 0;
  std::array<double, kBirthWindows> bytes_{};
  double middle_bytes_ = 0;
  double middle_variance_ = 0;
  double largest_unit_ = 0;  ///< most that one sample of the site stands for
};

}  // namespace offheap
