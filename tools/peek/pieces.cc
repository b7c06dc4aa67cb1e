// SPDX-License-Identifier: Apache-2.0
#include "peek/pieces.h"

#include <algorithm>
#include <numeric>

namespace offheap {
namespace {

constexpr Bytes kRegionLimitBytes = Bytes{1} << 40;
constexpr Bytes kScanBytes = Bytes{1} << 30;  ///< residency is asked for that much at a time
constexpr std::size_t kPieceLimit = 16u << 20;

Address page_of(Address address) { return address / kPageBytes * kPageBytes; }

/// Adds the resident runs of `range`, cut into pieces.
void add_resident(const MemoryReader& memory, Range range, Pieces& out) {
  const auto resident = memory.resident_pages(range);
  const Address first = page_of(range.begin);
  for (std::size_t page = 0; page < resident.size() && out.pieces.size() < kPieceLimit;) {
    if (!resident[page]) {
      ++page;
      continue;
    }
    const std::size_t begin = page;
    while (page < resident.size() && resident[page] && (page - begin) * kPageBytes < kPieceBytes)
      ++page;
    const Range piece{std::max(range.begin, first + begin * kPageBytes),
                      std::min(range.end, first + page * kPageBytes)};
    out.resident_bytes += piece.size();
    out.pieces.push_back(piece);
  }
}

/// A step that visits all of `count` and never close by: the golden ratio's, made coprime.
std::size_t step_of(std::size_t count) {
  auto step = static_cast<std::size_t>(static_cast<double>(count) * 0.6180339887) + 1;
  while (std::gcd(step, count) != 1) ++step;
  return step;
}

}  // namespace

Pieces choose_pieces(const MemoryReader& memory, const std::vector<Range>& ranges, Bytes budget_bytes) {
  Pieces all;
  Bytes scanned_bytes = 0;
  for (const Range& range : ranges) {
    for (Address at = range.begin; at < range.end && scanned_bytes < kRegionLimitBytes;) {
      const Address end = range.end - at > kScanBytes ? page_of(at + kScanBytes) : range.end;
      add_resident(memory, {at, end}, all);
      scanned_bytes += end - at;
      at = end;
    }
  }
  Pieces chosen;
  chosen.resident_bytes = all.resident_bytes;
  const std::size_t count = all.pieces.size();
  if (count == 0) return chosen;
  const std::size_t step = step_of(count);
  std::size_t at = 0;
  for (std::size_t i = 0; i < count && chosen.chosen_bytes < budget_bytes; ++i) {
    chosen.pieces.push_back(all.pieces[at]);
    chosen.chosen_bytes += all.pieces[at].size();
    at = (at + step) % count;
  }
  return chosen;
}

}  // namespace offheap
