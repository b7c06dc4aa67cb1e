// SPDX-License-Identifier: Apache-2.0
//
// Source: glibc malloc/malloc.c, systrim() and malloc/arena.c, heap_trim(): both act on the top alone,
// once it exceeds M_TRIM_THRESHOLD (128 KiB at the start).
#include "glibc_heap/pinning.h"

#include <algorithm>

namespace offheap {
namespace {

constexpr Bytes kLongRunBytes = 128 * 1024;
constexpr std::size_t kMostGroups = 8;  // from the top downwards; what is deeper is held by all of them
constexpr Bytes kBlockHeader = 16;

}  // namespace

void PinningSearch::add_block(const Block& block) {
  has_top_ = false;
  if (groups_.empty()) return;
  auto& blocks = groups_.back().blocks;
  if (blocks.block_count == 0) blocks = {block.chunk.begin + kBlockHeader, 0, 0, 0, true};
  ++blocks.block_count;
  blocks.usable_bytes += block.chunk.size() - kBlockHeader / 2;
  blocks.cached = blocks.cached && block.cached;
}

void PinningSearch::add_free_run(Range run, Bytes resident_bytes) {
  if (run.size() < kLongRunBytes) return;
  if (groups_.size() == kMostGroups) groups_.erase(groups_.begin());
  groups_.push_back({resident_bytes, {}});
}

void PinningSearch::add_top(Bytes resident_bytes) {
  has_top_ = true;
  top_bytes_ = resident_bytes;
}

std::vector<PinningBlock> PinningSearch::take() const {
  std::vector<PinningBlock> found;
  // From the top downwards: a run can leave only after those above it.
  for (auto group = groups_.rbegin(); has_top_ && group != groups_.rend(); ++group) {
    auto blocks = group->blocks;
    if (blocks.block_count == 0 || blocks.usable_bytes > group->free_below_bytes) break;
    blocks.freed_if_gone_bytes = group->free_below_bytes + (found.empty() ? top_bytes_ : 0);
    found.push_back(blocks);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.freed_if_gone_bytes > b.freed_if_gone_bytes;
  });
  return found;
}

}  // namespace offheap
