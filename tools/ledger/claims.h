// SPDX-License-Identifier: Apache-2.0
//
// Claims made disjoint: an earlier claim keeps its pages, a later one gets what is left.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ledger/ledger.h"

namespace offheap {

class ClaimMap {
 public:
  struct Piece {
    Range range;
    Owner owner = Owner::kUnknown;
    std::uint32_t label = 0;  ///< index for label(), 0 = none
  };

  ClaimMap() : labels_(1) {}

  /// Adds those parts of `range` that no earlier claim holds. Empty or inverted ranges are ignored.
  void add(Range range, Owner owner, const std::string& label);

  /// The claimed pieces inside `range`, clipped to it, in address order.
  [[nodiscard]] std::vector<Piece> inside(Range range) const;

  [[nodiscard]] const std::string& label(std::uint32_t index) const { return labels_[index]; }

 private:
  std::map<Address, Piece> pieces_;  ///< by begin; disjoint
  std::vector<std::string> labels_;
};

}  // namespace offheap
