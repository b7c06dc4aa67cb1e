// SPDX-License-Identifier: Apache-2.0
//
// The arena reader on an image of a real heap that was damaged on purpose: wild sizes, lists that run
// in circles, rings and heap chains that never close. Whatever is in it, the reader ends soon, within
// bounds.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <random>

#include "glibc_heap/glibc_heap.h"
#include "glibc_heap/locate.h"
#include "property/heap_child.h"

namespace offheap {
namespace {

/// The writable memory of a process, copied; pages that were not resident are absent.
class ImageReader : public MemoryReader {
 public:
  ImageReader(const ProcessMemory& memory, const std::vector<Mapping>& mappings) {
    for (const auto& mapping : mappings) {
      if (!mapping.writable || mapping.range.size() > (Bytes{256} << 20)) continue;
      Piece piece{mapping.range, memory.resident_pages(mapping.range), {}};
      piece.bytes.resize(mapping.range.size());
      for (std::size_t page = 0; page < piece.resident.size(); ++page)
        if (piece.resident[page])
          memory.read(mapping.range.begin + page * kPageBytes,
                      std::span(piece.bytes).subspan(page * kPageBytes, kPageBytes));
      pieces_.push_back(std::move(piece));
    }
  }

  std::size_t read(Address address, std::span<std::byte> out) const override {
    std::size_t done = 0;
    for (const auto* piece = find(address); piece != nullptr && done < out.size();
         piece = find(address + done)) {
      const auto offset = address + done - piece->range.begin;
      const auto count = std::min(out.size() - done, piece->bytes.size() - offset);
      std::memcpy(out.data() + done, piece->bytes.data() + offset, count);
      done += count;
    }
    return done;
  }

  std::vector<bool> resident_pages(Range range) const override {
    std::vector<bool> pages(range.size() / kPageBytes);
    for (const auto& piece : pieces_)
      for (Address at = std::max(range.begin, piece.range.begin);
           at < std::min(range.end, piece.range.end); at += kPageBytes)
        pages[(at - range.begin) / kPageBytes] = piece.resident[(at - piece.range.begin) / kPageBytes];
    return pages;
  }

  void write(Address address, std::uint64_t value) {
    for (auto& piece : pieces_)
      if (piece.range.contains(address))
        std::memcpy(piece.bytes.data() + (address - piece.range.begin), &value, 8);
  }

 private:
  struct Piece {
    Range range;
    std::vector<bool> resident;
    std::vector<std::byte> bytes;
  };
  [[nodiscard]] const Piece* find(Address address) const {
    for (const auto& piece : pieces_)
      if (piece.range.contains(address)) return &piece;
    return nullptr;
  }
  std::vector<Piece> pieces_;
};

struct Captured {
  std::vector<Mapping> mappings;
  std::unique_ptr<ImageReader> image;
  std::vector<ThreadStack> threads;
  MallocLocation location;
};

const Captured& captured() {
  static const Captured instance = [] {
    Captured result;
    Child child({HEAP_TARGET, "small", "1"});
    EXPECT_NE(child.read_line(), "");
    const auto process = Process::open(child.pid());
    const auto memory = ProcessMemory::open(*process);
    result.mappings = *process->read_smaps();
    result.threads = *find_thread_stacks(*process, *memory, result.mappings);
    result.image = std::make_unique<ImageReader>(*memory, result.mappings);
    result.location = *locate_malloc(*result.image, result.mappings);
    return result;
  }();
  return instance;
}

HeapReport read_image(const ImageReader& image, bool pause = true) {
  HeapReadOptions options;
  options.pause = pause;
  options.threads = captured().threads;
  return read_glibc_heap_image(image, captured().mappings, options);
}

void expect_within_bounds(const HeapReport& report) {
  for (const auto& arena : report.arenas) {
    EXPECT_EQ(arena.resident.sum(), arena.rss_bytes);
    EXPECT_LE(arena.resident.metadata_bytes, arena.rss_bytes);
  }
}

TEST(HeapImage, Undamaged_ReadsAsTheProcessDid) {
  const auto report = read_image(*captured().image);
  ASSERT_TRUE(report.found);
  EXPECT_EQ(report.arenas.size(), 2U);
  for (const auto& arena : report.arenas) EXPECT_TRUE(arena.consistent);
  for (const auto& check : report.checks) EXPECT_TRUE(check.ok) << check.name;
}

/// A list of the pages up to there would take more memory than there is.
TEST(HeapImage, TopOfNearlyEveryAddress_IsNoHeap) {
  auto image = *captured().image;
  const auto arena = captured().location.arenas.front();
  const auto top = image.read_value<Address>(arena + captured().location.layout.top);
  ASSERT_TRUE(top);
  constexpr Bytes kAbsurd = Bytes{1} << 62;
  image.write(*top + 8, kAbsurd | 1);
  image.write(arena + captured().location.layout.system_mem, kAbsurd);
  for (const bool pause : {false, true}) {
    const auto report = read_image(image, pause);
    expect_within_bounds(report);
    EXPECT_FALSE(report.arenas.front().consistent);
  }
}

/// Where damage hurts most: malloc's own structures, and the words of the heaps.
std::vector<Range> targets() {
  std::vector<Range> ranges;
  for (const auto arena : captured().location.arenas) {
    ranges.push_back({arena, arena + captured().location.layout.state_bytes});
    ranges.push_back({arena - 0x30, arena});
  }
  const auto report = read_image(*captured().image);
  for (const auto& arena : report.arenas)
    for (const auto& segment : arena.segments) ranges.push_back(segment);
  return ranges;
}

TEST(HeapImage, WildWords_EndSoonWithinBounds) {
  std::mt19937_64 random(7);
  const auto ranges = targets();
  const auto any_word = [&] {
    const auto& range = ranges[random() % ranges.size()];
    return range.begin + random() % (range.size() / 8) * 8;
  };
  for (int round = 0; round < 400; ++round) {
    auto image = *captured().image;
    for (int n = 0; n < 1 << round % 8; ++n) {
      const std::uint64_t values[] = {random(),
                                      any_word() / 16 * 16,
                                      random() % 4096,
                                      0,
                                      ~0ULL,
                                      random() % (1 << 20) / 16 * 16 | 1,
                                      Bytes{1} << random() % 64};
      image.write(any_word(), values[random() % std::size(values)]);
    }
    const auto begin = std::chrono::steady_clock::now();
    expect_within_bounds(read_image(image, round % 5 != 0));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5)) << "round " << round;
    if (HasFailure()) break;
  }
}

TEST(HeapImage, ListsInACircle_AreFoundOut) {
  const auto& location = captured().location;
  const Address arena = location.arenas[1];
  for (std::size_t bin = 0; bin < kBinCount; ++bin) {
    const Address links = arena + location.layout.bins + bin * 16;
    const auto first = captured().image->read_value<Address>(links);
    if (*first == links - kForwardOffset) continue;
    auto image = *captured().image;
    image.write(*first + kForwardOffset, *first);
    image.write(*first + kBackwardOffset, *first);
    const auto report = read_image(image);
    EXPECT_FALSE(report.arenas[1].consistent) << "bin " << bin;
    EXPECT_TRUE(report.arenas[0].consistent) << "the other arena is whole";
    expect_within_bounds(report);
  }
}

TEST(HeapImage, HeapChainAndRingInACircle_End) {
  const auto& location = captured().location;
  const Address arena = location.arenas[1];
  auto chain = *captured().image;
  chain.write(arena - location.heap_info_bytes + 8, arena - location.heap_info_bytes);
  const auto report = read_image(chain);
  EXPECT_FALSE(report.arenas[1].consistent);
  expect_within_bounds(report);
  auto ring = *captured().image;
  ring.write(arena + location.layout.next, arena);
  EXPECT_FALSE(read_image(ring).found) << "a ring that does not come back is no ring";
}

}  // namespace
}  // namespace offheap
