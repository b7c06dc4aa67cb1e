// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "watch/threshold.h"

namespace offheap {
namespace {

constexpr Bytes kLimit = 1000;

TEST(WatchThreshold, Levels_AreParsedOrRefused) {
  EXPECT_EQ(*parse_levels("90,66,75,66"), (Levels{66, 75, 90}));
  EXPECT_EQ(*parse_levels("1"), (Levels{1}));
  for (const char* bad : {"", ",", "66,", "0", "100", "6x", "-5", "66;75", "99999999999999999999"})
    EXPECT_FALSE(parse_levels(bad)) << bad;
}

TEST(WatchThreshold, Share_DoesNotOverflow) {
  EXPECT_EQ(share_of(1000, 90), 900u);
  EXPECT_EQ(share_of(99, 50), 49u);
  EXPECT_EQ(share_of(~Bytes{0}, 100), ~Bytes{0} / 100 * 100 + ~Bytes{0} % 100);
}

TEST(WatchThreshold, EachLevel_OnceUpward) {
  ThresholdPolicy policy({66, 75, 90});
  EXPECT_FALSE(policy.observe(659, kLimit));
  EXPECT_EQ(policy.observe(660, kLimit), 66u);
  EXPECT_FALSE(policy.observe(661, kLimit));
  EXPECT_EQ(policy.observe(960, kLimit), 90u);  // 75 and 90 at once are one passage
  EXPECT_FALSE(policy.observe(750, kLimit));    // 90 is armed again, and 75 still passed
  EXPECT_EQ(policy.passed(), 75u);
  EXPECT_EQ(policy.observe(900, kLimit), 90u);
}

TEST(WatchThreshold, HoveringAtALevel_IsOnePassage) {
  ThresholdPolicy policy({66, 75, 90});
  EXPECT_EQ(policy.observe(900, kLimit), 90u);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(policy.observe(i % 2 == 0 ? 855 : 1000, kLimit));
}

TEST(WatchThreshold, NoLimit_PassesNothing) {
  ThresholdPolicy policy({66});
  EXPECT_FALSE(policy.observe(~Bytes{0}, 0));
}

/// Random walks against what the header promises, said without a state machine.
TEST(WatchThresholdProperty, RandomWalks_KeepThePromise) {
  std::mt19937_64 random(20261128);
  for (int walk = 0; walk < 300; ++walk) {
    const Levels levels{20 + static_cast<unsigned>(random() % 30), 60, 61, 95};
    ThresholdPolicy policy(levels);
    std::vector<bool> armed(levels.size(), true);
    std::int64_t usage = 500;
    for (int step = 0; step < 400; ++step) {
      usage = std::clamp<std::int64_t>(usage + static_cast<std::int64_t>(random() % 161) - 80, 0, 1000);
      std::optional<unsigned> expected;
      for (std::size_t i = 0; i < levels.size(); ++i) {
        const auto level = static_cast<std::int64_t>(levels[i]) * 10;
        if (usage >= level && armed[i]) {
          expected = levels[i];
          armed[i] = false;
        }
      }
      for (std::size_t i = levels.size(); i-- > 0;) {
        // Armed from the top down: a lower level is not armed again before those above it.
        if (usage >= (static_cast<std::int64_t>(levels[i]) - ThresholdPolicy::kRearmPercent) * 10)
          break;
        armed[i] = true;
      }
      ASSERT_EQ(policy.observe(static_cast<Bytes>(usage), kLimit), expected)
          << "walk " << walk << " step " << step << " usage " << usage;
    }
  }
}

TEST(WatchUsageRing, KeepsTheLatest) {
  UsageRing ring;
  for (std::uint64_t i = 0; i < 3 * UsageRing::kMost; ++i) ring.add({i, i});
  EXPECT_EQ(ring.points().size(), UsageRing::kMost);
  EXPECT_EQ(ring.points().back().time_ns, 3 * UsageRing::kMost - 1);
}

TEST(WatchUsageRing, TimeToTheLimit_FollowsTheLatestPoints) {
  UsageRing ring;
  EXPECT_FALSE(ring.time_to(kLimit));
  ring.add({1'000, 400});
  EXPECT_FALSE(ring.time_to(kLimit));
  ring.add({2'000, 600});
  ring.add({3'000, 800});
  EXPECT_EQ(ring.time_to(kLimit), 1'000u);
  ring.add({4'000, 1200});
  EXPECT_EQ(ring.time_to(kLimit), 0u);
  ring.add({5'000, 100});
  EXPECT_FALSE(ring.time_to(kLimit));
}

}  // namespace
}  // namespace offheap
