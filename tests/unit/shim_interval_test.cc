// SPDX-License-Identifier: Apache-2.0
#include "libshim/sampling/interval.h"

#include <gtest/gtest.h>

namespace {

using shim::Interval;

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kMiB = 1 << 20;

// Feeds `steps` updates of 100 ms of CPU time each.
void run(Interval* interval, uint64_t bytes_per_step, uint64_t live_bytes, int steps) {
  for (int i = 0; i < steps; i++) {
    const uint64_t allocated = interval->allocated_bytes + bytes_per_step;
    shim::interval_update(interval, allocated, live_bytes, interval->cpu_ns + 100 * kMs);
  }
}

TEST(ShimInterval, zeroed_state_samples_at_the_initial_mean) {
  const Interval interval{};
  EXPECT_EQ(shim::interval_mean(&interval), shim::kInitialMeanBytes);
}

TEST(ShimInterval, update_waits_for_100_ms_of_cpu) {
  Interval interval{};
  EXPECT_FALSE(shim::interval_update(&interval, 1000 * kMiB, kMiB, 99 * kMs));
  EXPECT_EQ(shim::interval_mean(&interval), shim::kInitialMeanBytes);
  EXPECT_TRUE(shim::interval_update(&interval, 1000 * kMiB, kMiB, 100 * kMs));
}

TEST(ShimInterval, mean_spends_the_budget_on_a_busy_process) {
  Interval interval{};
  shim::interval_note_cost(&interval, 1000);
  run(&interval, 100 * kMiB, kMiB, 50);
  // 1 GiB/s nearly, 1000 ns a sample, 1 %: one sample every 100,000 ns = 104,858 bytes.
  EXPECT_NEAR(shim::interval_mean(&interval), 104857.6, 100);
}

TEST(ShimInterval, budget_scales_the_mean) {
  Interval interval{};
  interval.budget = 0.02;
  shim::interval_note_cost(&interval, 1000);
  run(&interval, 100 * kMiB, kMiB, 50);
  EXPECT_NEAR(shim::interval_mean(&interval), 52428.8, 50);
}

TEST(ShimInterval, idle_process_sinks_to_the_least_mean) {
  Interval interval{};
  run(&interval, 1000, kMiB, 50);
  EXPECT_EQ(shim::interval_mean(&interval), shim::kLeastMeanBytes);
}

TEST(ShimInterval, large_heap_bounds_the_number_of_live_samples) {
  Interval interval{};
  run(&interval, 1000, 6000 * kMiB, 50);
  EXPECT_NEAR(6000.0 * kMiB / shim::interval_mean(&interval), shim::kLiveSampleGoal, 1);
}

TEST(ShimInterval, mean_never_exceeds_the_most) {
  Interval interval{};
  run(&interval, 100'000 * kMiB, 500'000 * kMiB, 50);
  EXPECT_EQ(shim::interval_mean(&interval), shim::kMostMeanBytes);
}

TEST(ShimInterval, fixed_mean_stays) {
  Interval interval{};
  shim::interval_fix(&interval, 512 * 1024);
  run(&interval, 100 * kMiB, kMiB, 50);
  EXPECT_EQ(shim::interval_mean(&interval), 512 * 1024);
}

TEST(ShimInterval, one_preempted_sample_moves_the_cost_little) {
  Interval interval{};
  shim::interval_note_cost(&interval, 1000);
  shim::interval_note_cost(&interval, 50 * kMs);
  EXPECT_LE(interval.cost_ns, 1400);
  for (int i = 0; i < 100; i++) shim::interval_note_cost(&interval, 600);
  EXPECT_NEAR(interval.cost_ns, 600, 10);
}

TEST(ShimInterval, clock_that_starts_again_in_a_child_is_taken_up) {
  Interval interval{};
  run(&interval, 100 * kMiB, kMiB, 50);
  const double before = shim::interval_mean(&interval);
  EXPECT_FALSE(shim::interval_update(&interval, 10, 10, 5 * kMs));
  EXPECT_EQ(shim::interval_mean(&interval), before);
  EXPECT_TRUE(shim::interval_update(&interval, 1000, 10, 105 * kMs));
}

TEST(ShimInterval, poll_is_due_once_in_20_ms) {
  Interval interval{};
  EXPECT_TRUE(shim::interval_poll_due(&interval, 1000 * kMs));
  EXPECT_FALSE(shim::interval_poll_due(&interval, 1019 * kMs));
  EXPECT_TRUE(shim::interval_poll_due(&interval, 1020 * kMs));
}

}  // namespace
