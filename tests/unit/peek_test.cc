// SPDX-License-Identifier: Apache-2.0
//
// What peek says of bytes that are known: strings, entropy, pointers, vtables, and which pieces are
// read.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "peek/contents.h"
#include "peek/pieces.h"
#include "peek/strings.h"
#include "peek/vtables.h"

namespace offheap {
namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> random_bytes(std::size_t count) {
  std::mt19937 random(1);
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

/// Memory at one address, of which some pages are resident.
class Image : public MemoryReader {
 public:
  Image(Address begin, std::size_t page_count) : begin_(begin), bytes_(page_count * kPageBytes) {
    resident_.assign(page_count, true);
  }
  void put(Address address, std::uint64_t word) {
    std::memcpy(bytes_.data() + (address - begin_), &word, sizeof word);
  }
  void put(Address address, std::string_view text) {
    std::memcpy(bytes_.data() + (address - begin_), text.data(), text.size());
  }
  void drop(std::size_t page) { resident_[page] = false; }

  std::size_t read(Address address, std::span<std::byte> out) const override {
    if (address < begin_ || address - begin_ >= bytes_.size()) return 0;
    const auto count = std::min<std::size_t>(out.size(), bytes_.size() - (address - begin_));
    std::memcpy(out.data(), bytes_.data() + (address - begin_), count);
    return count;
  }
  std::vector<bool> resident_pages(Range range) const override {
    std::vector<bool> pages;
    for (Address at = range.begin / kPageBytes * kPageBytes; at < range.end; at += kPageBytes) {
      const auto page = (at - begin_) / kPageBytes;
      pages.push_back(at >= begin_ && page < resident_.size() && resident_[page]);
    }
    return pages;
  }

 private:
  Address begin_;
  std::vector<std::byte> bytes_;
  std::vector<bool> resident_;
};

TEST(StringTally, CountsAsciiAndUtf16Apart) {
  StringTally tally(6, 80);
  tally.add(bytes_of(std::string_view("one two\0\1one two\0short\0", 23)));
  tally.add(bytes_of(std::string_view("o\0n\0e\0 \0t\0w\0o\0", 14)));
  const auto strings = tally.most_frequent(10);
  ASSERT_EQ(strings.size(), 2u);
  EXPECT_EQ(strings[0].text, "one two");
  EXPECT_EQ(strings[0].encoding, TextEncoding::kAscii);
  EXPECT_EQ(strings[0].count, 2u);
  EXPECT_EQ(strings[0].bytes, 14u);
  EXPECT_EQ(strings[1].encoding, TextEncoding::kUtf16);
  EXPECT_EQ(strings[1].bytes, 14u);
  EXPECT_EQ(tally.totals().count, 3u);
}

TEST(StringTally, CutsButCountsAllBytes) {
  StringTally tally(6, 8);
  tally.add(bytes_of("a long text that is cut"));
  const auto strings = tally.most_frequent(1);
  ASSERT_EQ(strings.size(), 1u);
  EXPECT_EQ(strings[0].text, "a long t");
  EXPECT_TRUE(strings[0].cut);
  EXPECT_EQ(strings[0].bytes, 23u);
}

TEST(StringTally, ForgetsRareStringsAndKeepsFrequentOnes) {
  StringTally tally(6, 80);
  for (int i = 0; i < 200'000; ++i) {
    tally.add(bytes_of("rare string " + std::to_string(i)));
    if (i % 10 == 0) tally.add(bytes_of("frequent"));
  }
  const auto first = tally.most_frequent(1).front();
  EXPECT_EQ(first.text, "frequent");
  EXPECT_GT(tally.forgotten(), 0u);
  EXPECT_LE(first.count, 20'000u);
  EXPECT_GE(first.count + tally.forgotten(), 20'000u);
  EXPECT_EQ(tally.totals().count, 220'000u);
}

TEST(Contents, TellsZerosRandomBytesAndTextApart) {
  const PointerMap nowhere({});
  Contents contents(nowhere, {});
  std::vector<std::byte> memory(kPageBytes);
  const auto random = random_bytes(2 * kPageBytes);
  memory.insert(memory.end(), random.begin(), random.end());
  std::string text;
  while (text.size() < kPageBytes) text += "some text, ";
  const auto page = bytes_of(text.substr(0, kPageBytes));
  memory.insert(memory.end(), page.begin(), page.end());
  contents.add(0x10000, memory);
  EXPECT_EQ(contents.totals().bytes, 4 * kPageBytes);
  EXPECT_EQ(contents.totals().zero_page_bytes, kPageBytes);
  EXPECT_EQ(contents.totals().zero_bytes, kPageBytes);
  EXPECT_EQ(contents.totals().dense_bytes, 2 * kPageBytes);
  EXPECT_EQ(contents.strings().totals().count, 1u);  // none by chance in the random pages
  EXPECT_EQ(contents.strings().totals().bytes, kPageBytes);
}

TEST(Contents, CountsPointersByWhereTheyLead) {
  const PointerMap map({{{0x1000, 0x2000}, PointerTarget::Kind::kRegion},
                        {{0x5000, 0x6000}, PointerTarget::Kind::kModule},
                        {{0x8000, 0x9000}, PointerTarget::Kind::kElsewhere}});
  const std::vector<std::uint64_t> words = {0x1000, 0x1fff, 0x2000, 0x5010, 0x5010,
                                            0x5013, 0x8123, 0x7fff, 0};
  Contents contents(map, {});
  contents.add(0x1000, std::as_bytes(std::span(words)));
  EXPECT_EQ(contents.totals().pointers_inside, 2u);
  EXPECT_EQ(contents.totals().pointers_to_modules, 3u);
  EXPECT_EQ(contents.totals().pointers_elsewhere, 1u);
  const auto pointers = contents.module_pointers(5);
  ASSERT_EQ(pointers.size(), 1u);  // 0x5013 is no vtable
  EXPECT_EQ(pointers[0].address, 0x5010u);
  EXPECT_EQ(pointers[0].count, 2u);
  EXPECT_EQ(count_pointers_into_region(map, 0x8000, std::as_bytes(std::span(words))), 2u);
}

TEST(Contents, ReadsWordsWhereTheyAreAligned) {
  const PointerMap map({{{0x1000, 0x2000}, PointerTarget::Kind::kRegion}});
  std::vector<std::byte> bytes(3 + 8);
  const std::uint64_t word = 0x1800;
  std::memcpy(bytes.data() + 3, &word, sizeof word);
  EXPECT_EQ(count_pointers_into_region(map, 0x4005, bytes), 1u);
  EXPECT_EQ(count_pointers_into_region(map, 0x4000, bytes), 0u);
}

TEST(Entropy, IsZeroOfOneValueAndEightOfAll) {
  std::vector<std::byte> all(256);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::byte>(i);
  EXPECT_DOUBLE_EQ(entropy_of(all), 8.0);
  EXPECT_DOUBLE_EQ(entropy_of(std::vector<std::byte>(100)), 0.0);
  EXPECT_GT(entropy_of(random_bytes(kPageBytes)), kDenseEntropy);
}

TEST(Pieces, LeaveAbsentPagesOut) {
  Image image(0x100000, 64);
  for (std::size_t page = 10; page < 20; ++page) image.drop(page);
  const Pieces pieces = choose_pieces(image, {{0x100000, 0x140000}}, Bytes{1} << 30);
  EXPECT_EQ(pieces.resident_bytes, 54 * kPageBytes);
  EXPECT_EQ(pieces.chosen_bytes, 54 * kPageBytes);
  std::set<Address> pages;
  for (const Range& piece : pieces.pieces) {
    EXPECT_LE(piece.size(), kPieceBytes);
    for (Address at = piece.begin; at < piece.end; at += kPageBytes)
      pages.insert((at - 0x100000) / kPageBytes);
  }
  EXPECT_EQ(pages.size(), 54u);
  EXPECT_EQ(pages.count(15), 0u);
}

TEST(Pieces, OfABudgetAreSpreadOverTheWholeRegion) {
  Image image(0x100000, 1600);  // 100 pieces
  const Pieces pieces =
      choose_pieces(image, {{0x100000, 0x100000 + 1600 * kPageBytes}}, 20 * kPieceBytes);
  ASSERT_EQ(pieces.pieces.size(), 20u);
  std::map<std::size_t, int> by_tenth;
  for (const Range& piece : pieces.pieces) ++by_tenth[(piece.begin - 0x100000) / (10 * kPieceBytes)];
  for (std::size_t tenth = 0; tenth < 10; ++tenth) {
    EXPECT_GE(by_tenth[tenth], 1);
    EXPECT_LE(by_tenth[tenth], 3);
  }
}

TEST(Pieces, KeepBlocksToTheirBytes) {
  Image image(0x100000, 4);
  const Pieces pieces = choose_pieces(image, {{0x100010, 0x100030}, {0x101ff0, 0x102010}}, 1 << 20);
  EXPECT_EQ(pieces.resident_bytes, 64u);
}

class Vtables : public testing::Test {
 protected:
  Vtables() : image_(0x400000, 4) {
    Mapping code;
    code.range = {0x400000, 0x401000};
    code.inode = 1;
    code.executable = true;
    Mapping data;
    data.range = {0x401000, 0x404000};
    data.inode = 1;
    mappings_ = {code, data};
    image_.put(0x401000, std::uint64_t{0});  // offset to top
    image_.put(0x401008, 0x401100);          // type information
    image_.put(0x401010, 0x400500);          // first function: the vtable
    image_.put(0x401108, 0x402000);
    image_.put(0x402000, "N5store5OrderE");
  }
  Image image_;
  std::vector<Mapping> mappings_;
};

TEST_F(Vtables, HaveTheirClassesName) {
  EXPECT_EQ(class_of_vtable(image_, mappings_, 0x401010), "N5store5OrderE");
}

TEST_F(Vtables, AreNoneWhenAnyStepLeadsAstray) {
  EXPECT_FALSE(class_of_vtable(image_, mappings_, 0x401018));
  EXPECT_FALSE(class_of_vtable(image_, mappings_, 0x10));
  EXPECT_FALSE(class_of_vtable(image_, mappings_, 0));
  image_.put(0x402000, "\x1b[31mred");
  EXPECT_FALSE(class_of_vtable(image_, mappings_, 0x401010));
  image_.put(0x401108, 0xdead0000);
  EXPECT_FALSE(class_of_vtable(image_, mappings_, 0x401010));
  image_.put(0x401008, std::uint64_t{0x401101});
  EXPECT_FALSE(class_of_vtable(image_, mappings_, 0x401010));
}

}  // namespace
}  // namespace offheap
