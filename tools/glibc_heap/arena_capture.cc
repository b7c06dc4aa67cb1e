// SPDX-License-Identifier: Apache-2.0
//
// Finding an arena's segments from its top chunk and copying them.
#include "glibc_heap/arena_capture.h"

#include <algorithm>

#include "glibc_heap/main_pieces.h"

namespace offheap {
namespace {

constexpr std::size_t kMostSegments = 1 << 16;

/// Heap segments from the one that holds the top back to the first, which holds the malloc_state.
std::vector<HeapSegment> secondary_segments(const MemoryReader& memory, const MallocLocation& location,
                                            Address arena, Address top, bool& complete) {
  std::vector<HeapSegment> segments;
  const Range last = heap_segment_of(memory, top, arena);
  Address heap = last.begin;
  complete = heap != 0;
  while (heap != 0 && segments.size() < kMostSegments) {
    const auto info = memory.read_value<HeapInfo>(heap);
    const bool sane = info && info->arena == arena && info->size % kPageBytes == 0 && info->size != 0 &&
                      info->size <= last.size();
    if (!sane) {
      complete = false;
      break;
    }
    const bool holds_state = arena == heap + location.heap_info_bytes;
    const Address after =
        holds_state ? arena + location.layout.state_bytes : heap + location.heap_info_bytes;
    const Address end = heap + info->size;
    segments.push_back({{heap, end}, align_up(after, kChunkAlign), end, false});
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

const Mapping* find_heap(std::span<const Mapping> mappings, Address inside) {
  for (const auto& mapping : mappings)
    if (mapping.path == "[heap]" && mapping.range.contains(inside)) return &mapping;
  return nullptr;
}

std::vector<HeapSegment> segments_of(const MemoryReader& memory, const MallocLocation& location,
                                     Address arena, std::span<const Mapping> mappings, Address top,
                                     bool& complete) {
  std::vector<HeapSegment> segments;
  if (arena != location.arenas.front()) {
    segments = secondary_segments(memory, location, arena, top, complete);
  } else {
    segments = find_main_pieces(memory, location, mappings, top);
    // A program that asked for its state and allocated nothing yet (mallinfo, mallopt) has no piece.
    const bool unused = memory.read_value<Bytes>(arena + location.layout.system_mem) == Bytes{0};
    complete = !segments.empty() || unused;
  }
  Bytes left = most_arena_bytes(mappings);
  const auto takes_too_much = [&left](const HeapSegment& segment) {
    if (segment.pages.size() > left) return true;
    left -= segment.pages.size();
    return false;
  };
  const auto rest = std::find_if(segments.begin(), segments.end(), takes_too_much);
  complete = complete && rest == segments.end();
  segments.erase(rest, segments.end());
  return segments;
}

/// A top that moved out of the segments taken up would end the walk nowhere: then the older state
/// stays.
void refresh_state(const MemoryReader& memory, ArenaCapture& out) {
  auto before = out.state;
  const bool whole = memory.read(out.address, out.state) == out.state.size();
  const bool known = std::any_of(out.segments.begin(), out.segments.end(),
                                 [&](const HeapSegment& s) { return s.pages.contains(out.top()); });
  if (!whole || !known) out.state = std::move(before);
}

}  // namespace

Bytes measure_arena(const MemoryReader& memory, const MallocLocation& location, Address arena,
                    std::span<const Mapping> mappings) {
  const auto top = memory.read_value<Address>(arena + location.layout.top);
  bool complete = false;
  Bytes bytes = 0;
  if (!top) return bytes;
  for (const auto& segment : segments_of(memory, location, arena, mappings, *top, complete)) {
    const auto resident = memory.resident_pages(segment.pages);
    bytes += static_cast<Bytes>(std::count(resident.begin(), resident.end(), true)) * kPageBytes;
  }
  return bytes;
}

void begin_capture(const MemoryReader& memory, const MallocLocation& location, Address arena,
                   std::span<const Mapping> mappings, ArenaCapture& out) {
  out.address = arena;
  out.is_main = arena == location.arenas.front();
  out.layout = location.layout;
  out.tcache_count = location.tcache_count;
  out.top_unit = location.top_unit;
  out.state.resize(location.layout.state_bytes);
  out.state.resize(memory.read(arena, out.state));
  out.segments = segments_of(memory, location, arena, mappings, out.top(), out.complete);
  for (auto& segment : out.segments) {
    segment.hugetlb = lies_in_hugetlb(mappings, segment.pages.begin);
    out.complete =
        out.image.add_segment(segment.pages, memory.resident_pages(segment.pages)) && out.complete;
  }
}

void finish_capture(const MemoryReader& memory, const MallocLocation& location,
                    std::span<const Mapping> mappings, std::span<const Address> tcaches,
                    ArenaCapture& out) {
  refresh_state(memory, out);
  for (const auto address : tcaches)
    if (const auto tcache = read_tcache(memory, address, location.tcache_count))
      out.tcaches.push_back(*tcache);
  const auto* heap = out.is_main ? find_heap(mappings, out.top()) : nullptr;
  out.top_at_break =
      heap != nullptr && !out.segments.empty() && out.segments.back().end >= heap->range.end;
}

}  // namespace offheap
