// SPDX-License-Identifier: Apache-2.0
//
// The scan: what is left of anonymous mappings after all claims, page by page.
#include "glibc_heap/mmapped_chunks.h"

#include <algorithm>
#include <array>

#include "glibc_heap/main_pieces.h"
#include "glibc_heap/malloc_layout.h"

namespace offheap {
namespace {

constexpr Bytes kWindowBytes = Bytes{256} << 20;  // residency is asked for in steps of this size

bool may_hold_chunks(const Mapping& mapping) {
  return mapping.readable && mapping.writable && !mapping.shared && mapping.inode == 0 &&
         mapping.rss_bytes != 0 &&
         (mapping.path.empty() || mapping.path.starts_with("[anon:") || is_hugetlb(mapping));
}

/// What remains of `whole` without `claimed`, which is sorted by begin.
std::vector<Range> subtract(Range whole, std::span<const Range> claimed) {
  std::vector<Range> left;
  for (const auto& claim : claimed) {
    if (claim.end <= whole.begin) continue;
    if (claim.begin >= whole.end) break;
    if (claim.begin > whole.begin) left.push_back({whole.begin, align_down(claim.begin, kPageBytes)});
    whole.begin = std::max(whole.begin, align_up(claim.end, kPageBytes));
  }
  if (whole.begin < whole.end) left.push_back(whole);
  return left;
}

using Header = std::array<std::uint64_t, 2>;  // prev_size and size

/// The bytes from `page` to the end of the mapping by a header at `offset` from it; 0 when it is none.
Bytes bytes_by(const Header& header, Bytes offset, Bytes most_bytes) {
  if (header[0] != offset || (header[1] & kSizeFlags) != kIsMmapped) return 0;
  Bytes bytes = offset + chunk_bytes(header[1]);
  if (bytes % kPageBytes == kPageBytes - kChunkAlign)
    bytes += kChunkAlign;  // 2.43 leaves the header's size out
  return chunk_bytes(header[1]) != 0 && bytes % kPageBytes == 0 && bytes <= most_bytes ? bytes : 0;
}

/// What a memalign'd block's own header says, 0 when there is none. It is the first thing behind the
/// mapping's untouched front, counts its distance from `page` as prev_size, and is what realloc keeps
/// true; where it is says nothing about alignment any more once realloc has moved the mapping.
Bytes bytes_of_aligned(const MemoryReader& memory, Address page, Bytes most_bytes) {
  constexpr Bytes kMostFrontBytes = 4 << 20;
  const Bytes front = align_down(std::min(most_bytes, kMostFrontBytes), kPageBytes);
  const auto resident = memory.resident_pages({page, page + front});
  std::array<std::uint64_t, kPageBytes / 8> words{};
  for (std::size_t i = 0; i < resident.size(); ++i) {
    const Address at = page + i * kPageBytes;
    if (!resident[i] || memory.read(at, std::as_writable_bytes(std::span(words))) != kPageBytes)
      continue;
    if (i == 0) words[0] = words[1] = 0;
    const auto used = std::find_if(words.begin(), words.end(), [](auto word) { return word != 0; });
    if (used == words.end()) continue;
    const auto index = static_cast<std::size_t>(used - words.begin());
    if (index + 1 >= words.size()) return 0;
    return bytes_by({words[index], words[index + 1]}, i * kPageBytes + index * 8, most_bytes);
  }
  return 0;
}

/// The bytes of the block whose header is at `page`, 0 when there is none that fits below `end`.
Bytes chunk_at(const MemoryReader& memory, Address page, Address end) {
  const auto header = memory.read_value<Header>(page);
  // A memalign'd block that realloc shrank has a first header that says too much.
  const Bytes bytes = header ? bytes_by(*header, 0, ~Bytes{0}) : 0;
  if (bytes == 0) return 0;
  const Bytes aligned = bytes_of_aligned(memory, page, end - page);
  if (aligned != 0) return aligned;
  return bytes <= end - page ? bytes : 0;
}

Bytes resident_bytes(const MemoryReader& memory, Range range) {
  Bytes bytes = 0;
  for (Range window{0, range.begin}; window.end < range.end;) {
    window = {window.end, window.end + std::min(kWindowBytes, range.end - window.end)};
    const auto pages = memory.resident_pages(window);
    bytes += static_cast<Bytes>(std::count(pages.begin(), pages.end(), true)) * kPageBytes;
  }
  return bytes;
}

void scan(const MemoryReader& memory, Range piece, std::vector<MmappedChunk>& out) {
  Address page = piece.begin;
  while (page < piece.end) {
    const Range window{page, std::min(piece.end, page + kWindowBytes)};
    const auto resident = memory.resident_pages(window);
    while (page < window.end) {
      const bool present = resident[(page - window.begin) / kPageBytes];
      const Bytes bytes = present ? chunk_at(memory, page, piece.end) : 0;
      if (bytes != 0)
        out.push_back({{page, page + bytes}, resident_bytes(memory, {page, page + bytes})});
      page += bytes != 0 ? bytes : kPageBytes;
    }
  }
}

}  // namespace

std::vector<MmappedChunk> find_mmapped_chunks(const MemoryReader& memory,
                                              std::span<const Mapping> mappings,
                                              std::span<const Range> claimed) {
  std::vector<Range> claims(claimed.begin(), claimed.end());
  std::sort(claims.begin(), claims.end(),
            [](const Range& a, const Range& b) { return a.begin < b.begin; });
  std::vector<MmappedChunk> found;
  for (const auto& mapping : mappings) {
    if (!may_hold_chunks(mapping)) continue;
    for (const auto& piece : subtract(mapping.range, claims)) scan(memory, piece, found);
  }
  return found;
}

}  // namespace offheap
