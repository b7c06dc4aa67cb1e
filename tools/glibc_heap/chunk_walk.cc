// SPDX-License-Identifier: Apache-2.0
//
// Source: glibc 2.17-2.43 malloc/malloc.c, sysmalloc(): fenceposts are two chunks of 16 bytes, in a
// heap segment one of 16 and one of 0; a rest too small to free stays in use before them.
#include "glibc_heap/chunk_walk.h"

namespace offheap {

bool ChunkWalk::fits(Address chunk, Bytes bytes) const {
  return bytes >= kMinChunkBytes && bytes % kChunkAlign == 0 && bytes <= end_ - chunk;
}

/// Several chunks in a row that fit, the first with PREV_INUSE set as it is after a gap.
bool ChunkWalk::makes_sense_from(Address chunk) const {
  constexpr int kChunksToBelieve = 32;
  if ((image_.word(chunk + kSizeOffset) & kPreviousInUse) == 0) return false;
  for (int i = 0; i < kChunksToBelieve && chunk < end_; ++i) {
    const Bytes bytes = size_at(chunk);
    if (bytes == kFencepostBytes && i > 0) return true;
    if (!fits(chunk, bytes)) return false;
    if (chunk == top_) return true;
    chunk += bytes;
  }
  return true;
}

Address ChunkWalk::find_restart(Address from) const {
  for (Address at = from; at + kMinChunkBytes <= end_; at += kChunkAlign)
    if (makes_sense_from(at)) return at;
  return end_;
}

void ChunkWalk::skip_foreign(Chunk& out) {
  const Address from = align_up(at_, kChunkAlign);
  const Address restart = find_restart(from > at_ ? from : at_ + kChunkAlign);
  out = {{at_, restart}, Chunk::Kind::kForeign};
  sound_ = sound_ && fenceposts_ >= 2;
  fenceposts_ = 0;
  at_ = restart;
}

/// The 0-sized fencepost, which stands in the last 16 bytes of a segment that is not the arena's last.
bool ChunkWalk::is_end_of_heap_segment(Address chunk) const {
  return !has_top_ && chunk + kFencepostBytes == end_ && size_at(chunk) == 0;
}

void ChunkWalk::take_fencepost(Address after, Chunk& out) {
  out = {{at_, after}, Chunk::Kind::kFencepost};
  ++fenceposts_;
  at_ = after;
}

bool ChunkWalk::next(Chunk& out) {
  if (at_ >= end_) return false;
  const Bytes bytes = size_at(at_);
  const Address after = at_ + bytes;
  if (is_end_of_heap_segment(at_)) {
    take_fencepost(end_, out);
  } else if (bytes == kFencepostBytes && after <= end_) {
    take_fencepost(after, out);
  } else if (!fits(at_, bytes) || (fenceposts_ >= 2 && !makes_sense_from(at_))) {
    skip_foreign(out);
  } else if (is_end_of_heap_segment(after)) {
    take_fencepost(end_, out);
  } else {
    const bool in_use = (image_.word(after + kSizeOffset) & kPreviousInUse) != 0;
    out = {{at_, after},
           at_ == top_ ? Chunk::Kind::kTop
           : in_use    ? Chunk::Kind::kInUse
                       : Chunk::Kind::kFree};
    fenceposts_ = 0;
    at_ = after;
  }
  return true;
}

}  // namespace offheap
