// SPDX-License-Identifier: Apache-2.0
//
// The linear walk: every chunk of a segment, from the first to the last, by the sizes in their headers.
// Whether a chunk is in use stands in the next one's header; nothing else is believed. Where the
// headers make no sense the walk says so and picks up again at the next place where they do.
#pragma once

#include "glibc_heap/arena_capture.h"

namespace offheap {

struct Chunk {
  enum class Kind {
    kInUse,  ///< or in a fastbin or a tcache, which the header does not tell
    kFree,
    kTop,
    kFencepost,  ///< the end of a piece, put there by malloc
    kForeign,    ///< no chunks: somebody else's sbrk, or an inconsistent image
  };
  Range range;  ///< header included, in malloc's terms: [p, p + size)
  Kind kind = Kind::kInUse;
};

/// Walks one segment's chunks in address order.
class ChunkWalk {
 public:
  ChunkWalk(const ArenaImage& image, const HeapSegment& segment, Address top)
      : image_(image),
        at_(segment.first_chunk),
        end_(segment.end),
        top_(top),
        has_top_(top >= segment.first_chunk && top < segment.end) {}

  /// The next chunk; false at the end.
  bool next(Chunk& out);

  /// False once the walk met memory that should have been chunks. A foreign stretch behind the two
  /// fenceposts that malloc leaves before one is sound.
  [[nodiscard]] bool sound() const { return sound_; }

 private:
  [[nodiscard]] Bytes size_at(Address chunk) const {
    return chunk_bytes(image_.word(chunk + kSizeOffset));
  }
  [[nodiscard]] bool is_end_of_heap_segment(Address chunk) const;
  [[nodiscard]] bool fits(Address chunk, Bytes bytes) const;
  [[nodiscard]] bool makes_sense_from(Address chunk) const;
  [[nodiscard]] Address find_restart(Address from) const;
  void skip_foreign(Chunk& out);
  void take_fencepost(Address after, Chunk& out);

  const ArenaImage& image_;
  Address at_;
  Address end_;
  Address top_;
  bool has_top_;
  int fenceposts_ = 0;  ///< in a row, directly before at_
  bool sound_ = true;
};

}  // namespace offheap
