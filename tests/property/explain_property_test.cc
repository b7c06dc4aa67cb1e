// SPDX-License-Identifier: Apache-2.0
//
// What must hold of every ledger and every verdict, over random inputs.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "../unit/image_reader.h"
#include "../unit/verdict_fixtures.h"
#include "ledger/ledger.h"

namespace offheap {
namespace {

using Random = std::mt19937_64;

Bytes up_to(Random& random, Bytes limit) { return random() % (limit + 1); }

TEST(LedgerProperty, RandomMappingsClaimsAndPages_SumExactly) {
  Random random(1);
  for (int round = 0; round < 500; ++round) {
    LedgerInput input;
    ImageReader memory;
    Address at = 0x100000;
    Bytes expected = 0;
    for (int i = 0; i < 12; ++i) {
      Mapping mapping;
      const Bytes pages = 1 + up_to(random, 40);
      mapping.range = {at, at + pages * kPageBytes};
      mapping.rss_bytes = up_to(random, pages) * kPageBytes;
      if (random() % 4 == 0) mapping.path = "/file";
      expected += mapping.rss_bytes;
      if (random() % 2 == 0) memory.set_resident({at, at + up_to(random, pages) * kPageBytes});
      at = mapping.range.end + up_to(random, 3) * kPageBytes;
      input.mappings.push_back(mapping);
    }
    for (int i = 0; i < 20; ++i) {
      const Address begin = 0x100000 + up_to(random, (at - 0x100000) / kPageBytes) * kPageBytes;
      input.claims.push_back({{begin, begin + up_to(random, 30) * kPageBytes},
                              static_cast<Owner>(up_to(random, kOwnerCount - 1)),
                              ""});
    }
    const Ledger ledger = build_ledger(input, memory);
    ASSERT_EQ(ledger.rss_bytes, expected);
    ASSERT_EQ(ledger.sum(), expected) << "round " << round;
    ASSERT_EQ(ledger.mapping_owners.size(), input.mappings.size());
  }
}

Evidence random_evidence(Random& random) {
  Evidence evidence =
      with_heap({up_to(random, 500) * kMi, up_to(random, 50) * kMi, up_to(random, 200) * kMi,
                 up_to(random, 200) * kMi, up_to(random, 100) * kMi, kMi});
  for (std::size_t i = 0; i < kOwnerCount; ++i)
    own(evidence, static_cast<Owner>(i), up_to(random, 100) * kMi);
  evidence.thread_count = up_to(random, 300);
  const double rate = static_cast<double>(up_to(random, 20)) * 1e6;
  const double wave = static_cast<double>(up_to(random, 40)) * 1e6;
  evidence.live_points =
      points_of(100, [=](double t) { return 50e6 + rate * t + wave * std::fmod(t, 1.0); });
  for (int i = 0; i < 5; ++i) {
    SiteEvidence site =
        leaking_site(up_to(random, 100) * kMi, static_cast<double>(up_to(random, 10)) * 1e6);
    if (random() % 2 == 0) site.growth_low = -1e6;
    evidence.sites.push_back(site);
  }
  return evidence;
}

TEST(VerdictProperty, AnyEvidence_HasAVerdictInOrderWithinBounds) {
  Random random(2);
  for (int round = 0; round < 500; ++round) {
    const Evidence evidence = random_evidence(random);
    const auto verdicts = judge(evidence);
    ASSERT_FALSE(verdicts.empty());
    for (const Verdict& verdict : verdicts) {
      ASSERT_GE(verdict.confidence, 0);
      ASSERT_LE(verdict.confidence, 1);
      ASSERT_FALSE(verdict.summary.empty());
      ASSERT_FALSE(verdict.remedy.empty());
      ASSERT_FALSE(verdict.proof.empty());
      ASSERT_LE(verdict.predicted_saving_bytes, std::max(verdict.bytes, evidence.ledger.rss_bytes));
      const bool none =
          verdict.kind == VerdictKind::kHealthy || verdict.kind == VerdictKind::kUndecided;
      if (none) {
        ASSERT_EQ(verdicts.size(), 1u) << "no cause and a cause at once";
      }
    }
  }
}

TEST(VerdictProperty, TotalAndSitesWithoutCertainGrowth_AreNeverALeak) {
  Random random(3);
  for (int round = 0; round < 500; ++round) {
    Evidence evidence = random_evidence(random);
    const double wave = static_cast<double>(up_to(random, 40)) * 1e6;
    evidence.live_points = points_of(100, [=](double t) { return 50e6 + wave * std::fmod(t, 0.5); });
    for (SiteEvidence& site : evidence.sites) site.growth_low = -site.growth_bytes_per_second;
    ASSERT_FALSE(has(judge(evidence), VerdictKind::kLeak)) << names(judge(evidence));
  }
}

std::vector<TrendPoint> scaled(std::vector<TrendPoint> points, Bytes factor) {
  for (TrendPoint& point : points) point.value_bytes *= factor;
  return points;
}

TEST(VerdictProperty, LargerUnits_KeepTheKind) {
  Random random(4);
  for (int round = 0; round < 200; ++round) {
    // Far above the absolute thresholds only shares count.
    const Bytes live = 200 + up_to(random, 500);
    const Bytes trimmable = up_to(random, 500);
    const Bytes pinned = up_to(random, 500);
    VerdictKind kinds[2];
    for (int i = 0; i < 2; ++i) {
      const Bytes unit = i == 0 ? kMi : 16 * kMi;
      Evidence evidence = with_heap({live * unit, 0, trimmable * unit, pinned * unit, 0, 0});
      evidence.live_points =
          scaled(points_of(100, [](double t) { return 150e6 + 1000 * t; }), unit / kMi);
      kinds[i] = judge(evidence).front().kind;
      if (trimmable < 12 && pinned < 12) kinds[i] = VerdictKind::kHealthy;
    }
    ASSERT_EQ(kinds[0], kinds[1]) << live << " " << trimmable << " " << pinned;
  }
}

TEST(TrendProperty, ShapeIsTheSame_InOtherUnitsOfTimeAndBytes) {
  Random random(5);
  for (int round = 0; round < 300; ++round) {
    const double rate = static_cast<double>(up_to(random, 30)) * 1e6;
    const double wave = static_cast<double>(up_to(random, 30)) * 1e6;
    auto points = points_of(120, [=](double t) { return 100e6 + rate * t + wave * std::fmod(t, 0.7); });
    const Shape shape = classify(points).shape;
    for (TrendPoint& point : points) {
      point.time_ns *= 60;
      point.value_bytes *= 8;
    }
    // More bytes can only lift a rise out of the absolute noise, never push it in.
    const Shape other = classify(points).shape;
    ASSERT_TRUE(shape == other || shape == Shape::kFlat || shape == Shape::kPlateau)
        << shape_name(shape) << " became " << shape_name(other);
  }
}

}  // namespace
}  // namespace offheap
