// SPDX-License-Identifier: Apache-2.0
//
// Which resident pieces of a region are read: spread evenly, in an order in which any beginning is an
// even sample too, so that a time limit costs precision only.
#pragma once

#include <vector>

#include "base/units.h"
#include "procfs/memory_reader.h"

namespace offheap {

inline constexpr Bytes kPieceBytes = Bytes{64} << 10;

struct Pieces {
  std::vector<Range> pieces;  ///< in reading order; resident throughout, a piece's size at most
  Bytes resident_bytes = 0;   ///< of the whole region
  Bytes chosen_bytes = 0;
};

/// Pieces of `ranges` of `budget_bytes` together, by the pages that are resident now.
///
/// Shape:  ranges need not be page-aligned (blocks); pages that are absent are never in a piece.
/// Errors: never fails; of an absurdly large range only the first TiB is looked at.
Pieces choose_pieces(const MemoryReader& memory, const std::vector<Range>& ranges, Bytes budget_bytes);

}  // namespace offheap
