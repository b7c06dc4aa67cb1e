// SPDX-License-Identifier: Apache-2.0
#include "recording/losses.h"

#include <gtest/gtest.h>

namespace offheap {
namespace {

TEST(RecordingLosses, nothing_lost_says_nothing) {
  Snapshot snapshot;
  snapshot.self.sample_count = 1000;
  snapshot.losses.reentrant_count = 10;  // one in a hundred changes no figure that is shown
  EXPECT_TRUE(describe_losses(snapshot).empty());
}

TEST(RecordingLosses, each_kind_is_a_sentence_with_its_number) {
  // The struct is nothing but counts: a new one without a sentence falls here.
  constexpr std::size_t kKinds = sizeof(recording::Losses) / sizeof(std::uint64_t);
  Snapshot snapshot;
  auto* counts = reinterpret_cast<std::uint64_t*>(&snapshot.losses);
  for (std::size_t i = 0; i < kKinds; ++i) {
    for (std::size_t k = 0; k < kKinds; ++k) counts[k] = k == i ? 7001 + i : 0;
    const auto sentences = describe_losses(snapshot);
    ASSERT_EQ(sentences.size(), 1U) << "count " << i;
    EXPECT_EQ(sentences[0].find(std::to_string(7001 + i) + " "), 0U) << sentences[0];
  }
}

TEST(RecordingLosses, samples_of_shortened_stacks_are_said) {
  Snapshot snapshot;
  snapshot.sites.resize(3);
  for (RecordedSite& site : snapshot.sites) site.sampled_count = 20;
  snapshot.sites[0].truncated = true;  // deeper than is ever recorded
  snapshot.sites[1].shortened = snapshot.sites[2].shortened = true;
  const auto sentences = describe_losses(snapshot);
  ASSERT_EQ(sentences.size(), 1U);
  EXPECT_EQ(sentences[0].find("40 samples with the innermost frames only"), 0U) << sentences[0];
}

TEST(RecordingLosses, damage_and_unquiet_counts_are_said) {
  Snapshot snapshot;
  snapshot.rejected_count = 3;
  snapshot.consistent = false;
  EXPECT_EQ(describe_losses(snapshot).size(), 2U);
}

}  // namespace
}  // namespace offheap
