// SPDX-License-Identifier: Apache-2.0
//
// The pure pieces of the arena reader: what malloc_trim releases, tcaches of all generations, pinning.
#include <gtest/gtest.h>

#include <map>

#include "glibc_heap/malloc_layout.h"
#include "glibc_heap/pinning.h"
#include "glibc_heap/tcache.h"

namespace offheap {
namespace {

TEST(Trim, FreeRun_GivesWholePagesBehindItsFields) {
  const auto trimmed = [](Address begin, Address end) {
    return trimmed_by_madvise({begin, end}).size();
  };
  EXPECT_EQ(trimmed(0x1000, 0x1000 + 4143), 0U);  // not above a page and a malloc_chunk
  EXPECT_EQ(trimmed(0x1000, 0x3000), 0x1000U);    // its fields spoil the first page
  EXPECT_EQ(trimmed(0x1fd0, 0x3fd0), 0x1000U);    // fields end exactly at a page
  EXPECT_EQ(trimmed(0x1fe0, 0x4fe0), 0x1000U);    // fields reach into the next page
  EXPECT_EQ(trimmed(0x1010, 0x3ff0), 0x1000U);
  EXPECT_EQ(trimmed(0x1010, 0x4000), 0x2000U);
  EXPECT_EQ(trimmed_by_madvise({0x1010, 0x4000}), (Range{0x2000, 0x4000}));
}

TEST(Trim, Top_KeepsAMinimalChunk) {
  const auto trimmed = [](Address begin, Address end, Bytes unit = kPageBytes) {
    return trimmed_off_top({begin, end}, unit).size();
  };
  EXPECT_EQ(trimmed(0x1000, 0x1020), 0U);
  EXPECT_EQ(trimmed(0x1000, 0x2020), 0U);
  EXPECT_EQ(trimmed(0x1000, 0x2030), 0x1000U);
  EXPECT_EQ(trimmed(0x1fe0, 0x4000), 0x1000U);
  EXPECT_EQ(trimmed(0x1fd0, 0x4000), 0x2000U);
  EXPECT_EQ(trimmed(0x1000, 0x201000, 0x200000), 0U) << "less than a huge page";
  EXPECT_EQ(trimmed(0x1000, 0x500000, 0x200000), 0x400000U);
}

constexpr Address kTcache = 0x10010;

/// A few words of memory; a tcache's other words are zero, and a broken link is what all else holds.
class Memory {
 public:
  std::uint64_t& operator[](Address at) { return words_[at]; }
  [[nodiscard]] WordReader reader() const {
    return [this](Address at) {
      const auto word = words_.find(at);
      return word != words_.end() ? word->second : at < kTcache + 0x300 ? 0 : 1;
    };
  }

 private:
  std::map<Address, std::uint64_t> words_;
};

TEST(Tcache, EachGeneration_IsRecognisedAndFollowed) {
  const struct {
    Bytes chunk_bytes;
    Address entries;
    std::uint64_t counts_word;  ///< of bins 0..7 or 0..3: two blocks in bin 1
    Linking linking;
  } kGenerations[] = {
      {0x250, 64, 0x0200, Linking::kPlain},
      {0x290, 128, 0x00020000, Linking::kPlain},
      {0x290, 128, 0x00020000, Linking::kSafe},
  };
  for (const auto& generation : kGenerations) {
    Memory memory;
    memory[kTcache - 8] = generation.chunk_bytes | 1;
    memory[kTcache] = generation.counts_word;
    memory[kTcache + generation.entries + 8] = 0x20000;
    const auto store = [&](Address at, Address next) {
      memory[at] = generation.linking == Linking::kSafe ? next ^ at >> 12 : next;
    };
    store(0x20000, 0x30000);
    store(0x30000, 0);
    const auto tcache = read_tcache(memory.reader(), kTcache, 7);
    ASSERT_TRUE(tcache.has_value()) << generation.chunk_bytes;
    EXPECT_EQ(tcache->heads, std::vector<Address>{0x20000});
    const auto cached = follow_chains(std::vector{*tcache}, memory.reader());
    EXPECT_TRUE(cached.complete);
    EXPECT_EQ(cached.blocks, (std::vector<Address>{0x20000, 0x30000}));
  }
}

TEST(Tcache, CountsOfFreeSlots_AreReadInversely) {
  Memory memory;
  memory[kTcache - 8] = 0x301;
  for (Bytes i = 0; i < 76 / 4; ++i) memory[kTcache + i * 8] = 0x0010'0010'0010'0010;
  ASSERT_TRUE(read_tcache(memory.reader(), kTcache, 16).has_value());
  memory[kTcache + 152] = 0x20000;  // a block although all 16 slots are free
  EXPECT_FALSE(read_tcache(memory.reader(), kTcache, 16).has_value());
  memory[kTcache] = 0x0010'0010'0010'000f;
  EXPECT_TRUE(read_tcache(memory.reader(), kTcache, 16).has_value());
}

TEST(Tcache, OtherBlocks_AreNotTakenForOne) {
  Memory memory;
  memory[kTcache - 8] = 0x291;
  memory[kTcache] = 1;
  EXPECT_FALSE(read_tcache(memory.reader(), kTcache, 7).has_value()) << "a count without a block";
  memory[kTcache + 128] = 0x20008;
  EXPECT_FALSE(read_tcache(memory.reader(), kTcache, 7).has_value()) << "a block that is not aligned";
  memory[kTcache + 128] = 0x20000;
  EXPECT_TRUE(read_tcache(memory.reader(), kTcache, 7).has_value());
  memory[kTcache] = 8;
  EXPECT_FALSE(read_tcache(memory.reader(), kTcache, 7).has_value())
      << "more blocks than a bin may hold";
  memory[kTcache] = 1;
  memory[kTcache - 8] = 0x2a1;
  EXPECT_TRUE(read_tcache(memory.reader(), kTcache, 7).has_value())
      << "16 bytes that could not be split off";
  memory[kTcache - 8] = 0x2b1;
  EXPECT_FALSE(read_tcache(memory.reader(), kTcache, 7).has_value()) << "a block of another size";
}

TEST(Tcache, ChainThatRunsInACircle_IsCutAndReported) {
  Memory memory;
  memory[0x20000] = 0x30000;
  memory[0x30000] = 0x20000;
  const TcacheStruct tcache{kTcache, 0x290, {0x20000}};
  const auto cached = follow_chains(std::vector{tcache}, memory.reader());
  EXPECT_FALSE(cached.complete);
  EXPECT_TRUE(cached.blocks.empty());
}

PinningSearch::Block block(Address begin, Bytes size, bool cached = false) {
  return {{begin, begin + size}, cached};
}

TEST(Pinning, OneSmallBlockBelowTheTop_IsNamedWithWhatItHolds) {
  PinningSearch search;
  search.add_block(block(0x1000, 0x100));
  search.add_free_run({0x1100, 0x1100 + (900 << 20)}, 900 << 20);
  search.add_block(block(0x40000000, 0x40, true));
  search.add_top(8192);
  const auto found = search.take();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].address, 0x40000010U);
  EXPECT_EQ(found[0].usable_bytes, 0x38U);
  EXPECT_EQ(found[0].block_count, 1U);
  EXPECT_TRUE(found[0].cached);
  EXPECT_EQ(found[0].freed_if_gone_bytes, (900U << 20) + 8192);
}

TEST(Pinning, FreeRunThatTouchesTheTopOrIsSmallerThanItsBlocks_IsNotPinned) {
  PinningSearch touching;
  touching.add_free_run({0x1000, 0x1000 + (1 << 20)}, 1 << 20);
  touching.add_top(8192);
  EXPECT_TRUE(touching.take().empty());
  PinningSearch heavy;
  heavy.add_free_run({0x1000, 0x1000 + (1 << 20)}, 1 << 20);
  heavy.add_block(block(0x1000000, 8 << 20));
  heavy.add_top(8192);
  EXPECT_TRUE(heavy.take().empty());
}

}  // namespace
}  // namespace offheap
