// SPDX-License-Identifier: Apache-2.0
//
// Every generation of glibc's malloc from 2.17 on, as an image: what the reader finds equals what was
// put in, to the byte. That the images are like real ones is shown on the generations that run in the
// roots (2.31, 2.36, 2.41, 2.43), by the same reader.
#include <gtest/gtest.h>

#include <algorithm>

#include "glibc_image.h"

namespace offheap {
namespace {

using G = GlibcGeneration;

constexpr Bytes kMib = Bytes{1} << 20;

const G kGenerations[] = {
    {"2.17-2.22", G::State::kFirst, G::Par::kMaxTotal, 32, G::Tcache::kNone, 0, 0, false,
     G::Key::kNone},
    {"2.17 of RHEL 7", G::State::kAttached, G::Par::kMaxTotal, 32, G::Tcache::kNone, 0, 0, false,
     G::Key::kNone},
    {"2.23-2.25", G::State::kAttached, G::Par::kWithoutTcache, 32, G::Tcache::kNone, 0, 0, false,
     G::Key::kNone},
    {"2.26", G::State::kAttached, G::Par::kTcache, 32, G::Tcache::kByteCounts, 0x250, 7, false,
     G::Key::kNone},
    {"2.27-2.28", G::State::kFastChunksFlag, G::Par::kTcache, 32, G::Tcache::kByteCounts, 0x250, 7,
     false, G::Key::kNone},
    {"2.29", G::State::kFastChunksFlag, G::Par::kTcache, 32, G::Tcache::kByteCounts, 0x250, 7, false,
     G::Key::kTcache},
    {"2.30-2.31", G::State::kFastChunksFlag, G::Par::kTcache, 32, G::Tcache::kShortCounts, 0x290, 7,
     false, G::Key::kTcache},
    {"2.32-2.33", G::State::kFastChunksFlag, G::Par::kTcache, 32, G::Tcache::kShortCounts, 0x290, 7,
     true, G::Key::kTcache},
    {"2.34", G::State::kFastChunksFlag, G::Par::kTcache, 32, G::Tcache::kShortCounts, 0x290, 7, true,
     G::Key::kRandom},
    {"2.35-2.41", G::State::kFastChunksFlag, G::Par::kHugePages, 48, G::Tcache::kShortCounts, 0x290, 7,
     true, G::Key::kRandom},
    {"2.42", G::State::kFastChunksFlag, G::Par::kHugePages, 48, G::Tcache::kFreeSlots, 0x300, 7, true,
     G::Key::kRandom},
    {"2.43", G::State::kWithoutFastbins, G::Par::kHugePages, 48, G::Tcache::kFreeSlots, 0x310, 16, true,
     G::Key::kRandom},
};

void expect_truth(const GlibcProcess& process, const HeapReport& report) {
  ASSERT_TRUE(report.found);
  ASSERT_EQ(report.arenas.size(), process.arenas.size());
  for (const auto& check : report.checks) EXPECT_TRUE(check.ok) << check.name;
  for (std::size_t i = 0; i < report.arenas.size(); ++i) {
    SCOPED_TRACE("arena " + std::to_string(i));
    const auto& arena = report.arenas[i];
    const auto& truth = process.arenas[i];
    EXPECT_TRUE(arena.consistent);
    EXPECT_EQ(arena.system_bytes, truth.system_bytes);
    EXPECT_EQ(arena.rss_bytes, truth.system_bytes);
    EXPECT_EQ(arena.resident.sum(), arena.rss_bytes);
    EXPECT_EQ(arena.obtained.live_bytes, truth.live_bytes);
    EXPECT_EQ(arena.obtained.cached_bytes, truth.cached_bytes);
    EXPECT_EQ(arena.obtained.free_bytes, truth.free_bytes);
    EXPECT_EQ(arena.live_block_count, truth.live_count);
    EXPECT_EQ(arena.cached_block_count, truth.cached_count);
  }
  EXPECT_EQ(report.mmapped.size(), 3U);
  EXPECT_EQ(report.mmapped_bytes, process.mmapped_bytes);
}

class HeapGeneration : public testing::TestWithParam<G> {};

TEST_P(HeapGeneration, Image_IsReadToTheByte) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(std::string(GetParam().versions) + " seed " + std::to_string(seed));
    const auto process = build_process(GetParam(), seed);
    HeapReadOptions options;
    options.threads = process.threads;
    const auto report = read_glibc_heap_image(process.image, process.mappings, options);
    expect_truth(process, report);
    for (std::size_t i = 0; i < report.arenas.size(); ++i)
      EXPECT_EQ(report.arenas[i].threads, std::vector{static_cast<std::uint32_t>(100 + i)});
    const auto counted =
        std::any_of(report.checks.begin(), report.checks.end(),
                    [](const HeapCheck& check) { return check.name.starts_with("mmapped"); });
    EXPECT_TRUE(counted) << "malloc_par was not found";
    if (HasFailure()) break;
  }
}

TEST_P(HeapGeneration, HeapsOfHugePages_AreFoundAtAnySize) {
  for (const Bytes heap_max : {8 * kMib, 16 * kMib, 4096 * kMib}) {
    SCOPED_TRACE(heap_max);
    const auto process = build_process(GetParam(), 3, heap_max);
    HeapReadOptions options;
    options.threads = process.threads;
    expect_truth(process, read_glibc_heap_image(process.image, process.mappings, options));
  }
}

INSTANTIATE_TEST_SUITE_P(All, HeapGeneration, testing::ValuesIn(kGenerations), [](const auto& param) {
  std::string name = param.param.versions;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; },
      '_');
  return name;
});

}  // namespace
}  // namespace offheap
