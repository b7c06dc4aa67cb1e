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

TEST(ShimInterval, first_updates_double_the_life_and_later_ones_wait_for_100_ms_of_cpu) {
  Interval interval{};
  uint64_t last_ms = 0;
  for (uint64_t due_ms : {1, 2, 4, 8, 16, 32, 64, 128, 228, 328}) {
    EXPECT_FALSE(shim::interval_update(&interval, last_ms * kMiB, kMiB, due_ms * kMs - 1));
    EXPECT_TRUE(shim::interval_update(&interval, due_ms * kMiB, kMiB, due_ms * kMs)) << due_ms;
    last_ms = due_ms;
  }
}

// A start that allocates nothing does not hide the load that follows it.
TEST(ShimInterval, rate_of_a_short_life_is_that_of_its_latter_half) {
  Interval interval{};
  shim::interval_note_cost(&interval, 1000);
  shim::interval_update(&interval, 0, 0, 1 * kMs);
  for (uint64_t ms = 2; ms <= 32; ms *= 2)
    shim::interval_update(&interval, ms * kMiB / 10, 0, ms * kMs);
  // 100 MiB a CPU second, 5 * 1000 ns a sample, 1 %, the first 100 ms 15 %: 3,495 bytes, so the least,
  // then 5 %: 10,486.
  EXPECT_EQ(shim::interval_mean(&interval), shim::kLeastMeanBytes);
  for (uint64_t ms = 64; ms <= 128; ms *= 2)
    shim::interval_update(&interval, ms * kMiB / 10, 0, ms * kMs);
  EXPECT_NEAR(shim::interval_mean(&interval), 10486, 1000);
}

TEST(ShimInterval, budget_pays_for_a_samples_free_too) {
  Interval interval{};
  shim::interval_note_cost(&interval, 700);
  shim::interval_note_free_cost(&interval, 300);
  run(&interval, 100 * kMiB, kMiB, 150);
  EXPECT_NEAR(shim::interval_mean(&interval), 524288, 500);
}

TEST(ShimInterval, mean_spends_the_budget_on_a_busy_process) {
  Interval interval{};
  shim::interval_note_cost(&interval, 1000);
  run(&interval, 100 * kMiB, kMiB, 150);
  // 1 GiB/s nearly, 5 * 1000 ns a sample, 1 %: one every 500,000 ns = 524,288 bytes.
  EXPECT_NEAR(shim::interval_mean(&interval), 524288, 500);
}

TEST(ShimInterval, budget_scales_the_mean) {
  Interval interval{};
  interval.budget = 0.02;
  shim::interval_note_cost(&interval, 1000);
  run(&interval, 100 * kMiB, kMiB, 150);
  EXPECT_NEAR(shim::interval_mean(&interval), 262144, 300);
}

TEST(ShimInterval, idle_process_sinks_to_the_least_mean) {
  Interval interval{};
  run(&interval, 1000, kMiB, 150);
  EXPECT_EQ(shim::interval_mean(&interval), shim::kLeastMeanBytes);
}

TEST(ShimInterval, large_heap_bounds_the_number_of_live_samples) {
  Interval interval{};
  run(&interval, 1000, 6000 * kMiB, 150);
  EXPECT_NEAR(6000.0 * kMiB / shim::interval_mean(&interval), shim::kLiveSampleGoal, 1);
}

TEST(ShimInterval, mean_never_exceeds_the_most) {
  Interval interval{};
  run(&interval, 100'000 * kMiB, 500'000 * kMiB, 150);
  EXPECT_EQ(shim::interval_mean(&interval), shim::kMostMeanBytes);
}

TEST(ShimInterval, fixed_mean_stays) {
  Interval interval{};
  shim::interval_fix(&interval, 512 * 1024);
  EXPECT_FALSE(shim::interval_poll_due(&interval, 1000 * kMs));
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
  run(&interval, 100 * kMiB, kMiB, 150);
  const double before = shim::interval_mean(&interval);
  EXPECT_FALSE(shim::interval_update(&interval, 10, 10, 5 * kMs));
  EXPECT_EQ(shim::interval_mean(&interval), before);
  EXPECT_TRUE(shim::interval_update(&interval, 1000, 10, 105 * kMs));
}

TEST(ShimInterval, poll_is_due_once_in_20_ms_and_at_first_once_in_1_ms) {
  Interval interval{};
  EXPECT_TRUE(shim::interval_poll_due(&interval, 10 * kMs));
  EXPECT_FALSE(shim::interval_poll_due(&interval, 11 * kMs - 1));
  EXPECT_TRUE(shim::interval_poll_due(&interval, 11 * kMs));
  run(&interval, kMiB, kMiB, 2);
  EXPECT_TRUE(shim::interval_poll_due(&interval, 1000 * kMs));
  EXPECT_FALSE(shim::interval_poll_due(&interval, 1019 * kMs));
  EXPECT_TRUE(shim::interval_poll_due(&interval, 1020 * kMs));
}

}  // namespace
