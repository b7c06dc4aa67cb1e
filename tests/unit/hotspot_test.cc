// SPDX-License-Identifier: Apache-2.0
//
// The HotSpot reader over a small image of a JVM, whole and damaged.
#include "hotspot/hotspot.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "hotspot/unsigned5.h"
#include "jvm_image.h"

namespace offheap {
namespace {

TEST(Hotspot, SmallImage_IsReadByItsTables) {
  JvmImage image;
  const auto mappings = JvmImage::mappings();
  const auto hotspot = Hotspot::find(image, mappings, {});
  ASSERT_NE(hotspot, nullptr);
  const HotspotReport report = hotspot->read();
  EXPECT_EQ(report.version, "21.0.2");
  ASSERT_TRUE(report.heap);
  EXPECT_EQ(report.heap->reserved_bytes, Bytes{16} << 20);
  EXPECT_EQ(report.heap->committed_bytes, Bytes{16} << 20);
  ASSERT_EQ(report.ranges.size(), 1u);
  EXPECT_EQ(report.ranges[0].part, JavaPart::kHeap);
  EXPECT_TRUE(report.threads.empty());
  EXPECT_FALSE(report.direct->reserved_bytes);
}

TEST(Hotspot, LibraryOfZeros_IsNoJvm) {
  JvmImage image;
  std::fill(image.bytes().begin(), image.bytes().end(), std::byte{0});
  const auto mappings = JvmImage::mappings();
  EXPECT_EQ(Hotspot::find(image, mappings, {}), nullptr);
}

TEST(Hotspot, DamagedImages_DoNoHarm) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 300; ++round) {
    JvmImage image;
    for (int i = 0; i < 40; ++i) image.bytes()[random() % kImageBytes] = std::byte(random() & 0xff);
    const auto mappings = JvmImage::mappings();
    const auto hotspot = Hotspot::find(image, mappings, {});
    if (!hotspot) continue;
    const HotspotReport report = hotspot->read();
    for (const JavaRange& range : report.ranges) EXPECT_LT(range.range.begin, range.range.end);
    const std::array<Range, 1> unowned = {Range{kHeapBase, kHeapBase + 4096}};
    EXPECT_LE(hotspot->infer(unowned).size(), 1u);
  }
}

TEST(Unsigned5, Numbers_AreDigitsOfSixBits) {
  const std::vector<std::uint8_t> bytes = {1, 191, 192, 1, 255, 255, 255, 255, 255};
  Unsigned5Reader reader(bytes);
  EXPECT_EQ(reader.next(), 0u);
  EXPECT_EQ(reader.next(), 190u);
  EXPECT_EQ(reader.next(), 191u);
  reader.next();
  EXPECT_TRUE(reader.good());
  reader.next();
  EXPECT_FALSE(reader.good());
}

}  // namespace
}  // namespace offheap
