// SPDX-License-Identifier: Apache-2.0
//
// The order of runs: interleaved, shuffled in each round, the same for the same seed.
#include "ab/schedule.h"

#include <gtest/gtest.h>

#include <set>

namespace offheap::ab {
namespace {

TEST(AbSchedule, every_round_runs_each_entry_once) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto turns = make_schedule(4, 5, 1, seed);
    ASSERT_EQ(turns.size(), 24u);
    for (std::size_t round = 0; round < 6; ++round) {
      std::set<std::size_t> entries;
      for (std::size_t i = 0; i < 4; ++i) {
        const Turn& turn = turns[round * 4 + i];
        EXPECT_EQ(turn.round, round);
        EXPECT_EQ(turn.warm_up, round == 0);
        entries.insert(turn.entry);
      }
      EXPECT_EQ(entries.size(), 4u);
    }
  }
}

TEST(AbSchedule, seed_decides_the_order) {
  auto order = [](std::uint64_t seed) {
    std::vector<std::size_t> entries;
    for (const Turn& turn : make_schedule(3, 20, 0, seed)) entries.push_back(turn.entry);
    return entries;
  };
  EXPECT_EQ(order(7), order(7));
  EXPECT_NE(order(7), order(8));
}

TEST(AbSchedule, every_entry_is_first_about_as_often) {
  std::vector<std::size_t> first(4);
  for (const Turn& turn : make_schedule(4, 4000, 0, 1)) {
    static std::size_t place = 0;
    if (place++ % 4 == 0) ++first[turn.entry];
  }
  // 1000 expected of each, one standard deviation is 27.
  for (const std::size_t count : first) EXPECT_NEAR(static_cast<double>(count), 1000, 150);
}

TEST(AbSchedule, nothing_to_run_is_empty) {
  EXPECT_TRUE(make_schedule(0, 5, 1, 1).empty());
  EXPECT_TRUE(make_schedule(3, 0, 0, 1).empty());
}

}  // namespace
}  // namespace offheap::ab
