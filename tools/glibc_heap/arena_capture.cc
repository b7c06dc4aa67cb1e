// SPDX-License-Identifier: Apache-2.0
//
// Finding an arena's segments from its top chunk and copying them.
#include "glibc_heap/arena_capture.h"

#include <algorithm>

namespace offheap {
namespace {

constexpr std::size_t kMostSegments = 1 << 16;
constexpr Bytes kMostSegmentBytes = Bytes{4} << 30;  // HEAP_MAX_SIZE with 1 GiB huge pages

/// heap_info of malloc/arena.c: ar_ptr, prev, size, ... the same in all generations.
struct HeapInfo {
  Address arena, previous;
  Bytes size;
};

/// Heap segments from the one that holds the top back to the first, which holds the malloc_state.
std::vector<HeapSegment> secondary_segments(const MemoryReader& memory, const MallocLocation& location,
                                            Address arena, Address top, bool& complete) {
  std::vector<HeapSegment> segments;
  Address heap = heap_segment_of(memory, top, arena);
  complete = heap != 0;
  while (heap != 0 && segments.size() < kMostSegments) {
    const auto info = memory.read_value<HeapInfo>(heap);
    const bool sane = info && info->arena == arena && info->size % kPageBytes == 0 && info->size != 0 &&
                      info->size <= kMostSegmentBytes;
    if (!sane) {
      complete = false;
      break;
    }
    const bool holds_state = arena == heap + location.heap_info_bytes;
    const Address after =
        holds_state ? arena + location.layout.state_bytes : heap + location.heap_info_bytes;
    segments.push_back({{heap, heap + info->size}, align_up(after, kChunkAlign), heap + info->size});
    heap = info->previous;
  }
  complete = complete && heap == 0;
  std::sort(segments.begin(), segments.end(),
            [](const auto& a, const auto& b) { return a.pages.begin < b.pages.begin; });
  // A forged chain could name one segment twice.
  const auto overlaps = [](const auto& a, const auto& b) { return a.pages.overlaps(b.pages); };
  const auto twice = std::adjacent_find(segments.begin(), segments.end(), overlaps);
  if (twice != segments.end()) {
    complete = false;
    segments.erase(twice + 1, segments.end());
  }
  return segments;
}

/// The main arena reaches from the first sbrk to the end of its top, unless the program break was
/// blocked and it went on elsewhere.
std::vector<HeapSegment> main_segments(const MemoryReader& memory, const MallocLocation& location,
                                       Address top, bool& complete) {
  const auto size_word = memory.read_value<std::uint64_t>(top + kSizeOffset);
  complete = size_word.has_value() && location.sbrk_base.has_value();
  if (!complete) return {};
  const Address base = *location.sbrk_base;
  const Address end = top + chunk_bytes(*size_word);
  complete = base < end && end - base < (Bytes{1} << 44);
  if (!complete) return {};
  const Range pages{align_down(base, kPageBytes), align_up(end, kPageBytes)};
  return {{pages, align_up(base, kChunkAlign), end}};
}

const Mapping* find_heap(std::span<const Mapping> mappings, Address inside) {
  for (const auto& mapping : mappings)
    if (mapping.path == "[heap]" && mapping.range.contains(inside)) return &mapping;
  return nullptr;
}

std::vector<HeapSegment> segments_of(const MemoryReader& memory, const MallocLocation& location,
                                     Address arena, Address top, bool& complete) {
  return arena == location.arenas.front() ? main_segments(memory, location, top, complete)
                                          : secondary_segments(memory, location, arena, top, complete);
}

}  // namespace

Bytes measure_arena(const MemoryReader& memory, const MallocLocation& location, Address arena) {
  const auto top = memory.read_value<Address>(arena + location.layout.top);
  bool complete = false;
  Bytes bytes = 0;
  if (!top) return bytes;
  for (const auto& segment : segments_of(memory, location, arena, *top, complete)) {
    const auto resident = memory.resident_pages(segment.pages);
    bytes += static_cast<Bytes>(std::count(resident.begin(), resident.end(), true)) * kPageBytes;
  }
  return bytes;
}

void capture_arena(const MemoryReader& memory, const MallocLocation& location, Address arena,
                   std::span<const Mapping> mappings, std::span<const Address> tcaches,
                   ArenaCapture& out) {
  out.address = arena;
  out.is_main = arena == location.arenas.front();
  out.layout = location.layout;
  out.state.resize(location.layout.state_bytes);
  out.state.resize(memory.read(arena, out.state));
  out.segments = segments_of(memory, location, arena, out.top(), out.complete);
  for (const auto& segment : out.segments)
    out.complete =
        out.image.add_segment(segment.pages, memory.resident_pages(segment.pages)) && out.complete;
  out.image.copy(memory);
  for (const auto address : tcaches)
    if (const auto tcache = read_tcache(memory, address)) out.tcaches.push_back(*tcache);
  const auto* heap = out.is_main ? find_heap(mappings, out.top()) : nullptr;
  out.top_at_break =
      heap != nullptr && !out.segments.empty() && out.segments.back().end >= heap->range.end;
}

}  // namespace offheap
