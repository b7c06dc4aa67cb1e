// SPDX-License-Identifier: Apache-2.0
//
// One arena as it was: its malloc_state, where its segments are, and their pages. Taken while the
// target stands still, at one instant or, when it is too large for that, part by part; walked
// afterwards.
#pragma once

#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "glibc_heap/arena_image.h"
#include "glibc_heap/locate.h"
#include "glibc_heap/main_pieces.h"
#include "glibc_heap/tcache.h"

namespace offheap {

struct ArenaCapture {
  explicit ArenaCapture(PageBuffer& buffer) : image(buffer) {}

  Address address = 0;
  bool is_main = false;
  Bytes tcache_count = 0;       ///< MallocLocation::tcache_count
  Bytes top_unit = kPageBytes;  ///< MallocLocation::top_unit
  bool top_at_break = false;    ///< main arena: nothing stands between its top and the program break
  MallocLayout layout;
  std::vector<std::byte> state;       ///< the malloc_state
  std::vector<HeapSegment> segments;  ///< in address order
  std::vector<TcacheStruct> tcaches;  ///< of all threads that were known when it was taken
  ArenaImage image;
  bool complete = true;          ///< false: the chain of heap segments was broken
  std::uint32_t stop_count = 0;  ///< in how many stops of the target the pages were copied
  std::uint64_t pause_ns = 0;    ///< the sum of these

  [[nodiscard]] std::uint64_t state_word(Bytes offset) const {
    std::uint64_t value = 0;
    if (offset + sizeof value <= state.size()) std::memcpy(&value, state.data() + offset, sizeof value);
    return value;
  }
  [[nodiscard]] Address top() const { return state_word(layout.top); }
  [[nodiscard]] Bytes system_bytes() const { return state_word(layout.system_mem); }
};

/// Bytes of the arena's resident pages as they are now: what a PageBuffer needs before the stop.
Bytes measure_arena(const MemoryReader& memory, const MallocLocation& location, Address arena,
                    std::span<const Mapping> mappings);

/// The first of three steps: the arena's state, its segments and which of their pages are resident. The
/// second is ArenaImage::copy(), once or more often, the third finish_capture(). For a capture of one
/// instant the target stands still over all three.
///
/// Shape: `mappings` may be older than the stop: only [heap]'s name and start are taken from it.
/// Errors: what cannot be read is absent and `complete` is false; never fails.
/// Source: glibc 2.17-2.43 malloc/arena.c (new_heap, heap_for_ptr), malloc/malloc.c (sysmalloc).
void begin_capture(const MemoryReader& memory, const MallocLocation& location, Address arena,
                   std::span<const Mapping> mappings, ArenaCapture& out);

/// The thread caches, and the state once more: after a copy in parts the last pages are the newest.
void finish_capture(const MemoryReader& memory, const MallocLocation& location,
                    std::span<const Mapping> mappings, std::span<const Address> tcaches,
                    ArenaCapture& out);

}  // namespace offheap
