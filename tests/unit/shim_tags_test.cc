// SPDX-License-Identifier: Apache-2.0
#include "libshim/sampling/tags.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace {

const void* at(uint64_t address) { return reinterpret_cast<const void*>(address); }

TEST(ShimTags, null_may_always_be_a_sample) {
  shim::tags_init();
  EXPECT_TRUE(shim::tag_is_near_sample(nullptr));
  EXPECT_TRUE(shim::tag_may_be_sample(nullptr));
  shim::tag_remove(nullptr);
  EXPECT_TRUE(shim::tag_may_be_sample(nullptr));
}

TEST(ShimTags, only_the_sampled_granule_is_marked) {
  shim::tag_add(at(0x7f0012345600));
  EXPECT_TRUE(shim::tag_may_be_sample(at(0x7f0012345600)));
  EXPECT_TRUE(shim::tag_may_be_sample(at(0x7f00123456f0)));
  EXPECT_FALSE(shim::tag_may_be_sample(at(0x7f0012345700)));
  EXPECT_FALSE(shim::tag_may_be_sample(at(0x7f00123455f0)));
  shim::tag_remove(at(0x7f0012345600));
  EXPECT_FALSE(shim::tag_may_be_sample(at(0x7f0012345600)));
}

TEST(ShimTags, granule_with_two_samples_stays_marked_until_both_are_gone) {
  shim::tag_add(at(0x55550010));
  shim::tag_add(at(0x55550080));
  shim::tag_remove(at(0x55550010));
  EXPECT_TRUE(shim::tag_may_be_sample(at(0x55550080)));
  shim::tag_remove(at(0x55550080));
  EXPECT_FALSE(shim::tag_may_be_sample(at(0x55550080)));
}

TEST(ShimTags, addresses_four_gib_apart_share_a_tag) {
  shim::tag_add(at(0x100001000));
  EXPECT_TRUE(shim::tag_may_be_sample(at(0x500001000)));
  shim::tag_remove(at(0x100001000));
}

TEST(ShimTags, removing_what_was_not_added_changes_nothing) {
  shim::tag_remove(at(0x66660000));
  EXPECT_FALSE(shim::tag_may_be_sample(at(0x66660000)));
  EXPECT_FALSE(shim::tag_may_be_sample(at(0x6665ff00)));
}

TEST(ShimTags, saturated_granule_stays_marked_for_good) {
  for (int i = 0; i < 300; i++) shim::tag_add(at(0x77770000));
  for (int i = 0; i < 300; i++) shim::tag_remove(at(0x77770000));
  EXPECT_TRUE(shim::tag_may_be_sample(at(0x77770000)));
  EXPECT_FALSE(shim::tag_may_be_sample(at(0x77770100)));
}

TEST(ShimTags, only_the_kib_of_a_sample_is_near_it) {
  shim::tag_add(at(0x99990600));
  EXPECT_TRUE(shim::tag_is_near_sample(at(0x99990400)));
  EXPECT_TRUE(shim::tag_is_near_sample(at(0x999907f0)));
  EXPECT_FALSE(shim::tag_is_near_sample(at(0x999903f0)));
  EXPECT_FALSE(shim::tag_is_near_sample(at(0x99990800)));
  shim::tag_remove(at(0x99990600));
  EXPECT_FALSE(shim::tag_is_near_sample(at(0x99990600)));
}

// Two threads a granule: three would saturate it. Both granules share a byte.
TEST(ShimTags, counts_of_threads_in_one_byte_add_up) {
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < 4; thread++) {
    threads.emplace_back([block = at(0x88880000 + thread / 2 * 256)] {
      for (int i = 0; i < 50'000; i++) {
        shim::tag_add(block);
        shim::tag_remove(block);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shim::tag_table[shim::tag_byte_index(at(0x88880000))], 0);
}

}  // namespace
