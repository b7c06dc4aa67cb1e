// SPDX-License-Identifier: Apache-2.0
//
// The usual case is arithmetic; the other looks for pieces in the mappings that the arena's own free
// lists lead to. Headers are read page by page and only where pages are resident.
#include "glibc_heap/main_pieces.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

namespace offheap {
namespace {

constexpr Bytes kMostSearchBytes = 256 << 20;       // of mappings that no bin leads to
constexpr Bytes kMostGrowthBytes = Bytes{1} << 30;  // of the heap since its mapping was read

const Mapping* mapping_of(std::span<const Mapping> mappings, Address address) {
  const auto next = std::upper_bound(mappings.begin(), mappings.end(), address,
                                     [](Address a, const Mapping& m) { return a < m.range.end; });
  return next != mappings.end() && next->range.contains(address) ? &*next : nullptr;
}

HeapSegment piece(Address begin, Address end) {
  return {{align_down(begin, kPageBytes), align_up(end, kPageBytes)},
          align_up(begin, kChunkAlign),
          end,
          false};
}

class PieceFinder {
 public:
  PieceFinder(const MemoryReader& memory, Address top, Address top_end)
      : memory_(memory), top_(top), top_end_(top_end) {}

  /// All pieces within a mapping. Mappings merge: a piece may start and end at any page.
  void find_in(Range mapping, std::vector<HeapSegment>& out) {
    const auto resident = memory_.resident_pages(mapping);
    for (Address page = mapping.begin; page < mapping.end;) {
      const bool present = resident[(page - mapping.begin) / kPageBytes];
      const auto end = present ? end_of_piece(page, mapping.end) : std::nullopt;
      if (end) out.push_back(piece(page, *end));
      page = end       ? align_up(*end, kPageBytes)
             : present ? behind_mmapped_chunk(page, mapping.end)
                       : page + kPageBytes;
    }
  }

 private:
  /// The next page to look at: the next one, or the one behind a block with a mapping of its own.
  Address behind_mmapped_chunk(Address page, Address limit) {
    const auto size_word = word(page + kSizeOffset);
    const Bytes bytes = chunk_bytes(size_word);
    const bool is_one = word(page) == 0 && (size_word & kSizeFlags) == kIsMmapped && bytes != 0 &&
                        bytes % kPageBytes == 0 && bytes <= limit - page;
    return page + (is_one ? bytes : kPageBytes);
  }

  /// The word at `address` from the last page read; a header's page is resident, its neighbours may not
  /// be.
  std::uint64_t word(Address address) {
    const Address page = align_down(address, kPageBytes);
    if (page != cached_page_) {
      words_.fill(0);
      memory_.read(page, std::as_writable_bytes(std::span(words_)));
      cached_page_ = page;
    }
    return words_[(address - page) / 8];
  }

  /// The end of the piece whose first chunk is at `first`, if one is there.
  std::optional<Address> end_of_piece(Address first, Address limit) {
    if ((word(first + kSizeOffset) & kSizeFlags) != kPreviousInUse) return std::nullopt;
    for (Address chunk = first; chunk + kFencepostBytes <= limit;) {
      if (chunk == top_) return top_end_;
      const Bytes bytes = chunk_bytes(word(chunk + kSizeOffset));
      if (bytes == kFencepostBytes && chunk != first) return end_of_fenceposts(chunk, limit);
      if (bytes < kMinChunkBytes || bytes % kChunkAlign != 0 || bytes > limit - chunk)
        return std::nullopt;
      chunk += bytes;
    }
    return std::nullopt;
  }

  /// Two fenceposts end a piece; a rest that was too small for a chunk looks like one more before them.
  std::optional<Address> end_of_fenceposts(Address chunk, Address limit) {
    std::size_t count = 0;
    while (count < 3 && chunk + kFencepostBytes <= limit &&
           chunk_bytes(word(chunk + kSizeOffset)) == kFencepostBytes) {
      chunk += kFencepostBytes;
      if (++count >= 2 && chunk % kPageBytes == 0) return chunk;
    }
    return std::nullopt;
  }

  const MemoryReader& memory_;
  Address top_;
  Address top_end_;
  Address cached_page_ = ~Address{0};
  std::array<std::uint64_t, kPageBytes / 8> words_{};
};

/// Mappings that hold a chunk of the arena's bins, or its top, other than `known`.
std::set<const Mapping*> mappings_of_bins(const MemoryReader& memory, const MallocLocation& location,
                                          std::span<const Mapping> mappings, Address top,
                                          const Mapping* known) {
  std::array<Address, 2 * kBinCount> links{};
  memory.read(location.arenas.front() + location.layout.bins, std::as_writable_bytes(std::span(links)));
  std::set<const Mapping*> found{mapping_of(mappings, top)};
  for (const auto link : links) found.insert(mapping_of(mappings, link));
  found.erase(nullptr);
  found.erase(known);
  // An empty bin names itself: libc's own data is no piece.
  std::erase_if(found, [most_bytes = most_arena_bytes(mappings)](const Mapping* m) {
    return m->inode != 0 || !m->writable || m->range.size() > most_bytes;
  });
  return found;
}

Bytes sum_of(std::span<const HeapSegment> pieces) {
  Bytes bytes = 0;
  for (const auto& each : pieces) bytes += each.pages.size();
  return bytes;
}

/// Pieces of which every chunk is in use hang in no bin: the rest of anonymous memory is searched for
/// them, as far as that is quickly done.
void find_full_pieces(std::span<const Mapping> mappings, const std::set<const Mapping*>& searched,
                      Bytes wanted_bytes, PieceFinder& finder, std::vector<HeapSegment>& pieces) {
  Bytes budget = kMostSearchBytes;
  const Bytes most_bytes = most_arena_bytes(mappings);
  for (const auto& mapping : mappings) {
    if (sum_of(pieces) >= wanted_bytes) return;
    const bool may_be = (mapping.path.empty() || is_hugetlb(mapping)) && mapping.inode == 0 &&
                        mapping.readable && mapping.writable && !mapping.shared &&
                        !searched.contains(&mapping);
    if (!may_be || mapping.rss_bytes > budget || mapping.range.size() > most_bytes) continue;
    budget -= mapping.rss_bytes;
    finder.find_in(mapping.range, pieces);
  }
}

}  // namespace

Bytes most_arena_bytes(std::span<const Mapping> mappings) {
  constexpr Bytes kAlways = Bytes{64} << 30;
  constexpr Bytes kTimesResident = 16;
  Bytes rss_bytes = 0;
  for (const auto& mapping : mappings) rss_bytes += mapping.rss_bytes;
  return std::max(kAlways, kTimesResident * rss_bytes);
}

std::vector<HeapSegment> find_main_pieces(const MemoryReader& memory, const MallocLocation& location,
                                          std::span<const Mapping> mappings, Address top) {
  const auto size_word = memory.read_value<std::uint64_t>(top + kSizeOffset);
  if (!size_word || !location.sbrk_base) return {};
  const Address base = *location.sbrk_base;
  const Address top_end = top + chunk_bytes(*size_word);
  const auto* first = mapping_of(mappings, base);
  const auto* last = mapping_of(mappings, top);
  if (first == nullptr || top_end < top) return {};
  if (top_end > (last != nullptr ? last : first)->range.end + kMostGrowthBytes) return {};
  const auto system_bytes =
      memory.read_value<Bytes>(location.arenas.front() + location.layout.system_mem).value_or(0);
  const bool in_one_piece =
      (last == nullptr || last == first) && top_end > base && top_end - base >= system_bytes;
  if (in_one_piece) return {piece(base, top_end)};
  std::vector<HeapSegment> pieces;
  PieceFinder finder(memory, top, top_end);
  const bool is_heap = first->path == "[heap]";
  if (is_heap)
    pieces.push_back(piece(base, last == first && top_end > base ? top_end : first->range.end));
  auto searched = mappings_of_bins(memory, location, mappings, top, is_heap ? first : nullptr);
  for (const auto* mapping : searched) finder.find_in(mapping->range, pieces);
  if (is_heap) searched.insert(first);
  if (sum_of(pieces) < system_bytes) find_full_pieces(mappings, searched, system_bytes, finder, pieces);
  std::sort(pieces.begin(), pieces.end(),
            [](const auto& a, const auto& b) { return a.pages.begin < b.pages.begin; });
  return pieces;
}

}  // namespace offheap
