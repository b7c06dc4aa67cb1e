// SPDX-License-Identifier: Apache-2.0
//
// Which blocks keep free memory from leaving by itself: free() gives memory back only from the top, so
// a few small blocks between the top and a long free run hold that run, however small they are.
#pragma once

#include <vector>

#include "glibc_heap/heap_report.h"

namespace offheap {

/// Fed with an arena's chunks in address order; remembers the last long free runs and the blocks on top
/// of each.
class PinningSearch {
 public:
  struct Block {
    Range chunk;
    bool cached = false;
  };
  void add_block(const Block& block);
  void add_free_run(Range run, Bytes resident_bytes);
  void add_top(Bytes resident_bytes);

  /// Groups of blocks that hold more free memory than they are large, the largest first.
  [[nodiscard]] std::vector<PinningBlock> take() const;

 private:
  struct Group {
    Bytes free_below_bytes = 0;  ///< resident
    PinningBlock blocks;
  };
  std::vector<Group> groups_;
  bool has_top_ = false;
  Bytes top_bytes_ = 0;
};

}  // namespace offheap
