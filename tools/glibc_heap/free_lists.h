// SPDX-License-Identifier: Apache-2.0
//
// An arena's own lists of free chunks: bins, verified in both directions, and fastbins, whose chunks
// look as if they were in use.
#pragma once

#include <cstdint>
#include <vector>

#include "glibc_heap/arena_capture.h"

namespace offheap {

struct BinTotals {
  Bytes bytes = 0;
  std::uint64_t chunk_count = 0;
  bool sound = true;  ///< every list went round and its back links agreed
};

/// Walks all bins. A broken list is left where it breaks; bounded by the arena's size whatever it
/// holds.
BinTotals walk_bins(const ArenaCapture& capture);

struct FastChunks {
  std::vector<Address> chunks;  ///< ascending
  Bytes bytes = 0;
  bool sound = true;
};

FastChunks walk_fastbins(const ArenaCapture& capture);

}  // namespace offheap
