// SPDX-License-Identifier: Apache-2.0
//
// The direct-mapping table against a model that knows the site of every page.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "libshim/sampling/direct_mappings.h"
#include "tests/property/shim_recording.h"

namespace {

using recording::DirectMapping;
using shim_test::OwnRecording;

constexpr uint64_t kPage = 4096;
constexpr uint64_t kBase = 0x7f1200000000;
constexpr uint32_t kUnmapped = recording::kNoSite;

std::vector<uint32_t> pages_of(recording::Recording* recording, uint64_t base, uint64_t count) {
  std::vector<uint32_t> pages(count, kUnmapped);
  for (const DirectMapping& entry : recording->direct_mappings) {
    if (entry.begin == 0 || entry.begin < base || entry.begin >= base + count * kPage) continue;
    EXPECT_NE(entry.begin, 1u);
    for (uint64_t at = entry.begin; at < entry.begin + entry.length; at += kPage) {
      uint32_t& page = pages[(at - base) / kPage];
      EXPECT_EQ(page, kUnmapped) << "two entries hold page " << (at - base) / kPage;
      page = entry.site;
    }
  }
  return pages;
}

uint64_t page_count_of(const std::vector<uint32_t>& pages, uint32_t site) {
  return static_cast<uint64_t>(std::count(pages.begin(), pages.end(), site));
}

void add(recording::Recording* recording, std::vector<uint32_t>* model, uint64_t base, uint64_t page,
         uint64_t count, uint32_t site) {
  shim::mapping_add(recording, base + page * kPage, count * kPage - kPage + 1, site, 5);
  for (uint64_t i = page; i < page + count; i++) (*model)[i] = site;
}

void remove(recording::Recording* recording, std::vector<uint32_t>* model, uint64_t base, uint64_t page,
            uint64_t count) {
  shim::mapping_remove(recording, base + page * kPage, count * kPage);
  for (uint64_t i = page; i < page + count; i++) (*model)[i] = kUnmapped;
}

void random_work(recording::Recording* recording, std::vector<uint32_t>* model, uint64_t base,
                 uint64_t seed, uint32_t operations) {
  std::mt19937_64 random(seed);
  for (uint32_t turn = 0; turn < operations; turn++) {
    const uint64_t page = random() % model->size();
    const uint64_t count = 1 + random() % std::min<uint64_t>(12, model->size() - page);
    const auto begin = model->begin() + static_cast<int64_t>(page);
    const bool is_free = std::all_of(begin, begin + static_cast<int64_t>(count),
                                     [](uint32_t s) { return s == kUnmapped; });
    // One in eight is a MAP_FIXED over whatever is there.
    if (is_free || random() % 8 == 0) {
      add(recording, model, base, page, count, static_cast<uint32_t>(random() % 20));
    } else {
      remove(recording, model, base, page, count);
    }
  }
}

void expect_totals(recording::Recording* recording, const std::vector<uint32_t>& pages) {
  uint64_t sum = 0;
  for (uint32_t site = 0; site < 20; site++) {
    const recording::Site& entry = recording->sites[site];
    const uint64_t held = page_count_of(pages, site) * kPage;
    EXPECT_EQ(entry.mapped_bytes - entry.unmapped_bytes, held) << "site " << site;
    sum += held;
  }
  EXPECT_EQ(recording->header.direct_mapped_bytes, sum);
  EXPECT_EQ(recording->header.losses.direct_mapping_full_count, 0u);
}

TEST(ShimDirectMappings, random_maps_and_unmaps_agree_with_model) {
  for (uint64_t seed = 1; seed <= 20; seed++) {
    OwnRecording recording;
    std::vector<uint32_t> model(300, kUnmapped);
    random_work(recording.get(), &model, kBase, seed, 2000);
    ASSERT_EQ(pages_of(recording.get(), kBase, model.size()), model) << "seed " << seed;
    expect_totals(recording.get(), model);
  }
}

TEST(ShimDirectMappings, hole_in_the_middle_leaves_two_rests_with_site_and_age) {
  OwnRecording recording;
  shim::mapping_add(recording.get(), kBase, 10 * kPage, 3, 77);
  shim::mapping_remove(recording.get(), kBase + 4 * kPage, 2 * kPage);
  std::vector<std::pair<uint64_t, uint64_t>> rests;
  for (const DirectMapping& entry : recording->direct_mappings) {
    if (entry.begin == 0) continue;
    rests.emplace_back(entry.begin, entry.length);
    EXPECT_EQ(entry.site, 3u);
    EXPECT_EQ(entry.born_ms, 77u);
  }
  std::sort(rests.begin(), rests.end());
  const std::vector<std::pair<uint64_t, uint64_t>> expected = {{kBase, 4 * kPage},
                                                               {kBase + 6 * kPage, 4 * kPage}};
  EXPECT_EQ(rests, expected);
  EXPECT_EQ(recording->sites[3].mapped_bytes, 10 * kPage);
  EXPECT_EQ(recording->sites[3].unmapped_bytes, 2 * kPage);
}

TEST(ShimDirectMappings, full_table_loses_mappings_and_no_bytes_of_others) {
  OwnRecording recording;
  const uint64_t wanted = recording::kDirectMappingCapacity + 100;
  for (uint64_t i = 0; i < wanted; i++) {
    shim::mapping_add(recording.get(), kBase + 4 * i * kPage, 3 * kPage, 0, 0);
  }
  EXPECT_EQ(recording->header.losses.direct_mapping_full_count, 100u);
  EXPECT_EQ(recording->header.direct_mapped_bytes, recording::kDirectMappingCapacity * 3 * kPage);
  // A hole whose upper rest finds no room: what is left of the table must still agree with the bytes.
  shim::mapping_remove(recording.get(), kBase + kPage, kPage);
  EXPECT_EQ(recording->header.direct_mapped_bytes, (recording::kDirectMappingCapacity * 3 - 2) * kPage);
  EXPECT_EQ(recording->header.losses.direct_mapping_full_count, 101u);
  for (uint64_t i = 0; i < wanted; i++) {
    shim::mapping_remove(recording.get(), kBase + 4 * i * kPage, 3 * kPage);
  }
  EXPECT_EQ(recording->header.direct_mapped_bytes, 0u);
}

TEST(ShimDirectMappings, threads_with_own_ranges_disturb_nobody) {
  OwnRecording recording;
  constexpr uint64_t kStride = 1ull << 30;
  std::vector<std::vector<uint32_t>> models(4, std::vector<uint32_t>(200, kUnmapped));
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < 4; thread++) {
    threads.emplace_back([&, thread] {
      random_work(recording.get(), &models[thread], kBase + thread * kStride, thread + 50, 4000);
    });
  }
  for (std::thread& thread : threads) thread.join();
  uint64_t sum = 0;
  for (uint64_t thread = 0; thread < 4; thread++) {
    EXPECT_EQ(pages_of(recording.get(), kBase + thread * kStride, 200), models[thread]);
    sum += (200 - page_count_of(models[thread], kUnmapped)) * kPage;
  }
  EXPECT_EQ(recording->header.direct_mapped_bytes, sum);
}

// Threads unmap different pages of the same mapping at the same time.
TEST(ShimDirectMappings, concurrent_holes_in_one_mapping_all_count) {
  for (uint32_t round = 0; round < 50; round++) {
    OwnRecording recording;
    shim::mapping_add(recording.get(), kBase, 400 * kPage, 1, 0);
    std::atomic<bool> go{false};
    std::vector<std::thread> threads;
    for (uint64_t thread = 0; thread < 4; thread++) {
      threads.emplace_back([&, thread] {
        while (!go) std::this_thread::yield();
        for (uint64_t page = thread; page < 400; page += 8) {
          shim::mapping_remove(recording.get(), kBase + page * kPage, kPage);
        }
      });
    }
    go = true;
    for (std::thread& thread : threads) thread.join();
    if (recording->header.losses.direct_mapping_full_count != 0)
      continue;  // gave up looking, and said so
    EXPECT_EQ(recording->header.direct_mapped_bytes, 200 * kPage);
  }
}

}  // namespace
