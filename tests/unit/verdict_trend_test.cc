// SPDX-License-Identifier: Apache-2.0
//
// Shapes that one slope cannot tell apart.
#include <gtest/gtest.h>

#include <cmath>

#include "verdict_fixtures.h"

namespace offheap {
namespace {

constexpr double kM = static_cast<double>(kMi);

struct ShapeCase {
  const char* what;
  std::function<double(double)> bytes_at;
  Shape shape;
};

TEST(Trend, Shape_OfTenSeconds_IsTheTable) {
  const ShapeCase cases[] = {
      {"constant", [](double) { return 100 * kM; }, Shape::kFlat},
      {"line", [](double t) { return (10 + 5 * t) * kM; }, Shape::kRising},
      {"line over a sawtooth", [](double t) { return (10 + 5 * t + 20 * std::fmod(t, 0.5)) * kM; },
       Shape::kRising},
      {"sawtooth", [](double t) { return (10 + 60 * std::fmod(t, 1.0)) * kM; }, Shape::kFlat},
      {"cache filled in three seconds",
       [](double t) { return (10 + 30 * std::min(t, 3.0)) * kM + 1e5 * std::fmod(t, 1.0); },
       Shape::kPlateau},
      {"cache filling ever more slowly",
       [](double t) { return (10 + 300 * (1 - std::exp(-t / 3))) * kM; }, Shape::kSlowing},
      {"step in the windows",
       [](double t) { return ((t < 7 ? 10 : 160) * kM) + 1e5 * std::fmod(t, 1.0); }, Shape::kStep},
      {"step in the last window",
       [](double t) { return ((t < 9 ? 10 : 160) * kM) + 1e5 * std::fmod(t, 1.0); }, Shape::kFlat},
      {"falling", [](double t) { return (200 - 10 * t) * kM; }, Shape::kFalling},
  };
  for (const ShapeCase& test : cases) {
    const Trend trend = classify(points_of(100, test.bytes_at));
    EXPECT_EQ(trend.shape, test.shape) << test.what << ": " << shape_name(trend.shape);
  }
}

TEST(Trend, Slope_OfALine_IsItsRate) {
  EXPECT_NEAR(classify(rising(5)).bytes_per_second, 5 * kM, 0.1 * kM);
}

TEST(Trend, FewPoints_AreTooShort) {
  EXPECT_EQ(classify({}).shape, Shape::kTooShort);
  EXPECT_EQ(classify(points_of(4, [](double t) { return t * 1e9; })).shape, Shape::kTooShort);
  EXPECT_EQ(classify(points_of(9, [](double t) { return t * 1e9; })).shape, Shape::kTooShort)
      << "below a second";
}

TEST(Trend, IdleEnd_IsCutOffAndTold) {
  auto points = rising(10);
  const std::uint64_t last_ns = points.back().time_ns;
  for (std::uint64_t i = 1; i <= 40; ++i)
    points.push_back({last_ns + i * kSecond_ns, points.back().value_bytes});
  const Trend trend = classify(points);
  EXPECT_EQ(trend.shape, Shape::kRising);
  EXPECT_EQ(trend.idle_ns, 40 * kSecond_ns);
  EXPECT_EQ(trend.window_end_ns, last_ns);
}

TEST(Trend, NothingMoves_IsFlat) {
  EXPECT_EQ(classify(points_of(30, [](double) { return 77.0; })).shape, Shape::kFlat);
}

}  // namespace
}  // namespace offheap
