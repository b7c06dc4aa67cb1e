// SPDX-License-Identifier: Apache-2.0
#include "ledger/claims.h"

#include <algorithm>

namespace offheap {

void ClaimMap::add(Range range, Owner owner, const std::string& label) {
  if (range.begin >= range.end) return;
  std::uint32_t label_index = 0;
  if (!label.empty()) {
    label_index = static_cast<std::uint32_t>(labels_.size());
    labels_.push_back(label);
  }
  Address at = range.begin;
  auto next = pieces_.upper_bound(at);
  if (next != pieces_.begin()) {
    const Piece& before = std::prev(next)->second;
    at = std::max(at, std::min(before.range.end, range.end));
  }
  while (at < range.end) {
    const Address gap_end = next == pieces_.end() ? range.end : std::min(next->first, range.end);
    const Address resume = next == pieces_.end() ? range.end : next->second.range.end;
    if (gap_end > at) pieces_.emplace(at, Piece{{at, gap_end}, owner, label_index});
    at = std::max(gap_end, resume);
    if (next != pieces_.end()) ++next;
  }
}

std::vector<ClaimMap::Piece> ClaimMap::inside(Range range) const {
  std::vector<Piece> found;
  auto at = pieces_.upper_bound(range.begin);
  if (at != pieces_.begin()) --at;
  for (; at != pieces_.end() && at->first < range.end; ++at) {
    Piece piece = at->second;
    if (!piece.range.overlaps(range)) continue;
    piece.range.begin = std::max(piece.range.begin, range.begin);
    piece.range.end = std::min(piece.range.end, range.end);
    found.push_back(piece);
  }
  return found;
}

}  // namespace offheap
