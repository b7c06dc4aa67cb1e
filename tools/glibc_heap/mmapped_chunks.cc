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

/// The bytes of the block whose header is at `page`, 0 when there is none that fits below `end`.
Bytes chunk_at(const MemoryReader& memory, Address page, Address end) {
  const auto header = memory.read_value<std::array<std::uint64_t, 2>>(page);
  if (!header || (*header)[0] != 0 || ((*header)[1] & kSizeFlags) != kIsMmapped) return 0;
  Bytes bytes = chunk_bytes((*header)[1]);
  if (bytes % kPageBytes == kPageBytes - kChunkAlign)
    bytes += kChunkAlign;  // 2.43 leaves the header's size out
  return bytes != 0 && bytes % kPageBytes == 0 && bytes <= end - page ? bytes : 0;
}

Bytes resident_bytes(const MemoryReader& memory, Range range) {
  const auto pages = memory.resident_pages(range);
  return static_cast<Bytes>(std::count(pages.begin(), pages.end(), true)) * kPageBytes;
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
