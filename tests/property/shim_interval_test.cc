// SPDX-License-Identifier: Apache-2.0
//
// The draw's distribution, and that estimates stay unbiased while the mean changes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "libshim/sampling/interval.h"

namespace {

TEST(ShimMinusLog, agrees_with_libm_over_the_whole_range) {
  std::mt19937_64 random(3);
  double worst = 0;
  const auto check = [&](double u) {
    const double exact = -std::log(u);
    if (exact == 0) {
      EXPECT_EQ(shim::minus_log(u), 0.0);
      return;
    }
    worst = std::max(worst, std::abs(shim::minus_log(u) / exact - 1));
  };
  for (int i = 0; i < 1'000'000; i++) check((static_cast<double>(random() >> 11) + 0.5) * 0x1p-53);
  for (double u = 1; u > 1e-300; u *= 0.61) check(u);
  for (int i = 0; i < 1000; i++) check(1 - i * 0x1p-53);
  for (int i = -1000; i < 1000; i++) check(std::sqrt(0.5) + i * 0x1p-50);
  EXPECT_LT(worst, 1e-9);
}

TEST(ShimSampleWeight, agrees_with_libm_for_every_ratio_of_size_to_mean) {
  for (double mean : {1.0, 4096.0, 32768.0, 1048576.0}) {
    for (uint64_t size = 1; size < (1ull << 40); size += 1 + size / 7) {
      const double exact = static_cast<double>(size) / -std::expm1(-static_cast<double>(size) / mean);
      ASSERT_NEAR(shim::sample_weight_bytes(size, mean) / exact, 1, 1e-8)
          << size << " of mean " << mean;
    }
  }
}

// Kolmogorov's statistic; 1.95 / sqrt(n) is passed by chance in about one of a thousand.
void expect_exponential(std::vector<double> draws, double mean) {
  std::sort(draws.begin(), draws.end());
  const auto count = static_cast<double>(draws.size());
  double distance = 0;
  for (size_t i = 0; i < draws.size(); i++) {
    // The draw is rounded down: the share of draws below n + 1 is that of the exponential.
    const double expected = -std::expm1(-(draws[i] + 1) / mean);
    const double seen =
        static_cast<double>(std::upper_bound(draws.begin(), draws.end(), draws[i]) - draws.begin());
    distance = std::max(distance, std::abs(seen / count - expected));
  }
  EXPECT_LT(distance, 1.95 / std::sqrt(count)) << "mean " << mean;
}

TEST(ShimDrawCountdown, is_exponential_with_the_mean_asked_for) {
  for (double mean : {50.0, 4096.0, 32768.0, 1048576.0}) {
    shim::Rng rng{12345};
    std::vector<double> draws(400'000);
    double sum = 0;
    for (double& draw : draws) {
      draw = static_cast<double>(shim::draw_countdown(&rng, mean));
      ASSERT_GE(draw, 0);
      sum += draw;
    }
    // Rounding down takes 1 / (e^(1/mean) - 1) - mean = about half a byte off the average.
    const double expected = 1 / std::expm1(1 / mean);
    const auto count = static_cast<double>(draws.size());
    EXPECT_NEAR(sum / count, expected, 4 * mean / std::sqrt(count));
    expect_exponential(draws, mean);
  }
}

TEST(ShimDrawCountdown, successive_draws_are_not_correlated) {
  shim::Rng rng{99};
  constexpr int kCount = 400'000;
  double product = 0;
  double before = 0;
  for (int i = 0; i < kCount; i++) {
    const double now = static_cast<double>(shim::draw_countdown(&rng, 1e6)) / 1e6 - 1;
    product += now * before;
    before = now;
  }
  EXPECT_LT(std::abs(product / kCount), 4 / std::sqrt(kCount));
}

TEST(ShimDrawCountdown, generators_of_different_threads_seed_apart) {
  shim::Rng rngs[64] = {};
  std::vector<int64_t> first;
  for (shim::Rng& rng : rngs) first.push_back(shim::draw_countdown(&rng, 1e12));
  std::sort(first.begin(), first.end());
  EXPECT_EQ(std::unique(first.begin(), first.end()), first.end());
}

TEST(ShimDrawCountdown, blocks_are_sampled_with_exactly_the_stated_probability) {
  constexpr double kMean = 4096;
  for (int64_t size : {1, 16, 24, 1000, 4096, 20000}) {
    shim::Rng rng{static_cast<uint64_t>(size)};
    const double probability = -std::expm1(-static_cast<double>(size) / kMean);
    const auto blocks = static_cast<int>(40'000 / std::min(1.0, probability));
    int sampled = 0;
    int64_t countdown = shim::draw_countdown(&rng, kMean);
    for (int i = 0; i < blocks; i++) {
      countdown -= size;
      if (countdown >= 0) continue;
      sampled++;
      countdown = shim::draw_countdown(&rng, kMean);
    }
    const double sigma = std::sqrt(blocks * probability * (1 - probability));
    EXPECT_NEAR(sampled, blocks * probability, 4 * sigma) << "size " << size;
  }
}

struct Estimate {
  double sum = 0;
  double variance = 0;
};

// Runs blocks through one countdown while the mean wanders with what has been allocated so far, as the
// shim's does: from totals that are known before the draw.
Estimate estimate_under_changing_means(uint64_t seed, const std::vector<uint64_t>& sizes) {
  shim::Rng rng{seed};
  Estimate estimate;
  double wanted = 32768;
  double mean = wanted;
  int64_t countdown = shim::draw_countdown(&rng, mean);
  uint64_t total = 0;
  for (uint64_t size : sizes) {
    total += size;
    wanted = 1024 * static_cast<double>(1ull << ((total / 3'000'000) % 8));
    countdown -= static_cast<int64_t>(size);
    if (countdown >= 0) continue;
    const double weight = shim::sample_weight_bytes(size, mean);
    estimate.sum += weight;
    estimate.variance += weight * weight * (1 - static_cast<double>(size) / weight);
    mean = wanted;
    countdown = shim::draw_countdown(&rng, mean);
  }
  return estimate;
}

TEST(ShimInterval, weights_are_unbiased_while_the_mean_changes) {
  std::mt19937_64 random(5);
  std::lognormal_distribution<double> size_of(4.5, 1.6);
  std::vector<uint64_t> sizes(300'000);
  double truth = 0;
  for (uint64_t& size : sizes) {
    size = 24 + static_cast<uint64_t>(size_of(random));
    truth += static_cast<double>(size);
  }
  constexpr int kTrials = 60;
  double error = 0;
  double variance = 0;
  for (uint64_t trial = 1; trial <= kTrials; trial++) {
    const Estimate estimate = estimate_under_changing_means(trial * 7919, sizes);
    error += estimate.sum - truth;
    variance += estimate.variance;
  }
  EXPECT_LT(std::abs(error), 4 * std::sqrt(variance))
      << "bias " << error / kTrials / truth * 100 << " % of " << truth << " bytes";
  EXPECT_LT(4 * std::sqrt(variance) / kTrials / truth, 0.02) << "too few samples to see a bias of 2 %";
}

}  // namespace
