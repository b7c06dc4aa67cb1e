// SPDX-License-Identifier: Apache-2.0
//
// The site table against std::map, from one thread and from many, up to and past its capacity.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "libshim/sampling/site_table.h"
#include "tests/property/shim_recording.h"

namespace {

using recording::Site;
using shim::Stack;
using shim_test::OwnRecording;

// Stacks that differ late, early, in length, or in nothing but their leaf.
Stack make_stack(uint64_t number) {
  std::mt19937_64 random(number / 4);
  Stack stack{};
  stack.count = 1 + static_cast<uint32_t>(random() % 30);
  for (uint32_t i = 0; i < stack.count; i++) stack.frames[i] = 0x1000 + random() % 5000;
  stack.frames[0] += number % 4;
  return stack;
}

bool holds(recording::Recording* recording, uint32_t index, const Stack& stack, uint16_t flags) {
  const Site& site = recording->sites[index];
  if (site.hash == 0 || site.frame_count != stack.count || site.flags != flags) return false;
  for (uint32_t i = 0; i < stack.count; i++) {
    if (recording->frames[site.frame_begin + i] != stack.frames[i]) return false;
  }
  return true;
}

TEST(ShimSiteTable, same_stack_same_index_and_different_stacks_differ) {
  OwnRecording recording;
  std::map<std::vector<uint64_t>, uint32_t> model;
  std::mt19937_64 random(1);
  for (uint32_t turn = 0; turn < 100'000; turn++) {
    const Stack stack = make_stack(random() % 6000);
    bool inserted = false;
    const uint32_t index = shim::site_of(recording.get(), stack, 0, &inserted);
    ASSERT_NE(index, recording::kNoSite);
    const std::vector<uint64_t> key(stack.frames, stack.frames + stack.count);
    const auto [known, is_new] = model.emplace(key, index);
    ASSERT_EQ(inserted, is_new);
    ASSERT_EQ(known->second, index);
    ASSERT_TRUE(holds(recording.get(), index, stack, 0));
  }
  EXPECT_EQ(recording->header.site_count, model.size());
  uint64_t frame_count = 0;
  for (const auto& [frames, index] : model) frame_count += frames.size();
  EXPECT_EQ(recording->header.frame_count, frame_count);
}

TEST(ShimSiteTable, flags_make_sites_of_their_own) {
  OwnRecording recording;
  bool inserted = false;
  Stack stack = make_stack(5);
  const uint32_t plain = shim::site_of(recording.get(), stack, 0, &inserted);
  const uint32_t mapping = shim::site_of(recording.get(), stack, recording::kSiteMapping, &inserted);
  stack.truncated = true;
  const uint32_t truncated = shim::site_of(recording.get(), stack, 0, &inserted);
  stack.truncated = false;
  stack.incomplete = true;
  const uint32_t incomplete = shim::site_of(recording.get(), stack, 0, &inserted);
  EXPECT_NE(plain, mapping);
  EXPECT_TRUE(holds(recording.get(), plain, stack, 0));
  EXPECT_TRUE(holds(recording.get(), mapping, stack, recording::kSiteMapping));
  EXPECT_TRUE(holds(recording.get(), truncated, stack, recording::kSiteTruncated));
  EXPECT_TRUE(holds(recording.get(), incomplete, stack, recording::kSiteIncomplete));
}

TEST(ShimSiteTable, empty_stack_is_one_incomplete_site) {
  OwnRecording recording;
  bool inserted = false;
  const Stack empty{};
  const uint32_t index = shim::site_of(recording.get(), empty, 0, &inserted);
  EXPECT_TRUE(inserted);
  EXPECT_EQ(shim::site_of(recording.get(), empty, 0, &inserted), index);
  EXPECT_FALSE(inserted);
  EXPECT_EQ(recording->sites[index].flags, recording::kSiteIncomplete);
}

TEST(ShimSiteTable, overfull_table_counts_losses_and_keeps_what_it_has) {
  OwnRecording recording;
  std::map<uint64_t, uint32_t> kept;
  uint64_t lost = 0;
  for (uint64_t number = 0; number < recording::kSiteCapacity + 2000; number++) {
    bool inserted = false;
    Stack stack{};
    stack.count = 8;
    for (uint32_t i = 0; i < 8; i++) stack.frames[i] = 0x400000 + number * (i + 1);
    const uint32_t index = shim::site_of(recording.get(), stack, 0, &inserted);
    if (index == recording::kNoSite) {
      lost++;
    } else {
      kept.emplace(number, index);
    }
  }
  EXPECT_EQ(recording->header.losses.site_full_count, lost);
  EXPECT_GT(kept.size(), recording::kSiteCapacity * 9 / 10);
  EXPECT_EQ(recording->header.site_count, kept.size());
}

// As deep as they get; the leaf frames tell `leaf` apart, the others `root`.
Stack deep_stack(uint64_t leaf, uint64_t root) {
  Stack stack{};
  stack.count = recording::kMaxFrames;
  for (uint32_t i = 0; i < stack.count; i++)
    stack.frames[i] = (i < recording::kShortSiteWords ? leaf : root) * 1000 + i + 1;
  return stack;
}

constexpr uint32_t kDeepStacksThatFit =
    (recording::kFrameCapacity - recording::kShortSiteReserve) / recording::kMaxFrames;

TEST(ShimSiteTable, stacks_that_the_frame_pool_has_no_room_for_are_shortened) {
  OwnRecording recording;
  bool inserted = false;
  std::vector<uint32_t> whole;
  for (uint32_t number = 0; number < kDeepStacksThatFit; number++) {
    whole.push_back(shim::site_of(recording.get(), deep_stack(number % 2, number), 0, &inserted));
    ASSERT_EQ(recording->sites[whole.back()].frame_count, recording::kMaxFrames);
  }
  // Two stacks with the same leaf are one from here on, whatever else is known of them.
  Stack late = deep_stack(7, kDeepStacksThatFit + 1);
  const uint32_t index = shim::site_of(recording.get(), late, 0, &inserted);
  EXPECT_TRUE(inserted);
  late = deep_stack(7, kDeepStacksThatFit + 2);
  late.truncated = late.incomplete = true;
  EXPECT_EQ(shim::site_of(recording.get(), late, 0, &inserted), index);
  EXPECT_FALSE(inserted);
  late.truncated = late.incomplete = false;
  late.count = recording::kShortSiteWords;
  EXPECT_TRUE(holds(recording.get(), index, late, recording::kSiteShortened));
  EXPECT_NE(shim::site_of(recording.get(), late, recording::kSiteMapping, &inserted), index);
  // Those that were known stay what they were.
  for (uint32_t number = 0; number < kDeepStacksThatFit; number++)
    ASSERT_EQ(shim::site_of(recording.get(), deep_stack(number % 2, number), 0, &inserted),
              whole[number]);
  EXPECT_EQ(recording->header.losses.site_full_count, 0u);
}

TEST(ShimSiteTable, full_frame_pool_is_a_loss_and_is_never_overrun) {
  OwnRecording recording;
  constexpr uint32_t kShortStacksThatFit = recording::kShortSiteReserve / recording::kShortSiteWords;
  uint64_t lost = 0;
  for (uint64_t number = 1; number <= kDeepStacksThatFit + kShortStacksThatFit + 10; number++) {
    bool inserted = false;
    lost +=
        shim::site_of(recording.get(), deep_stack(number, number), 0, &inserted) == recording::kNoSite;
  }
  EXPECT_EQ(lost, 10u);
  EXPECT_EQ(recording->header.losses.site_full_count, 10u);
  EXPECT_EQ(recording->header.frame_count, recording::kFrameCapacity);
}

TEST(ShimSiteTable, threads_that_race_for_the_same_stacks_agree) {
  OwnRecording recording;
  constexpr uint64_t kStacks = 3000;
  constexpr uint32_t kThreads = 4;
  std::vector<std::vector<uint32_t>> found(kThreads, std::vector<uint32_t>(kStacks));
  std::atomic<uint64_t> inserted_count{0};
  std::vector<std::thread> threads;
  for (uint32_t thread = 0; thread < kThreads; thread++) {
    threads.emplace_back([&, thread] {
      for (uint64_t number = 0; number < kStacks; number++) {
        bool inserted = false;
        found[thread][number] = shim::site_of(recording.get(), make_stack(number), 0, &inserted);
        inserted_count += inserted;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (uint64_t number = 0; number < kStacks; number++) {
    ASSERT_TRUE(holds(recording.get(), found[0][number], make_stack(number), 0));
    for (uint32_t thread = 1; thread < kThreads; thread++) {
      ASSERT_EQ(found[thread][number], found[0][number]);
    }
  }
  EXPECT_EQ(inserted_count.load(), recording->header.site_count);
}

}  // namespace
