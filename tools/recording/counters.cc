// SPDX-License-Identifier: Apache-2.0
#include "recording/counters.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/units.h"

namespace offheap {
namespace {

using recording::ArenaCell;
using recording::HotCell;
using recording::Recording;
using recording::ThreadSlot;

constexpr Bytes kChunkHeader = 8;
constexpr Bytes kMmappedChunkHeader = 16;  // before glibc 2.43

void add(ArenaCell* to, const ArenaCell& cell) {
  to->in_bytes += cell.in_bytes;
  to->in_count += cell.in_count;
  to->out_bytes += cell.out_bytes;
  to->out_count += cell.out_count;
}

ArenaCell cell_of(const HotCell& cell, recording::BackendKind kind) {
  // Unsigned: a hostile pair must not overflow a signed word.
  const Bytes in = static_cast<Bytes>(cell.allocated_base) - static_cast<Bytes>(cell.countdown);
  const Bytes unit = kind == recording::BackendKind::kGlibc ? recording::kChunkWordBytes : 1;
  return {in, cell.allocated_count, cell.freed * unit, cell.freed_count};
}

ArenaCell totals_of(const ThreadSlot& slot, recording::BackendKind kind) {
  if (kind == recording::BackendKind::kJemalloc)
    return {slot.jemalloc_allocated_bytes, 0, slot.jemalloc_deallocated_bytes, 0};
  ArenaCell totals = cell_of(slot.main, kind);
  add(&totals, cell_of(slot.own, kind));
  add(&totals, slot.mmapped);
  for (const ArenaCell& cell : slot.others) add(&totals, cell);
  add(&totals, slot.rest);
  return totals;
}

/// Converts cells of one recording to usable bytes.
struct Units {
  recording::ByteUnit unit = recording::ByteUnit::kUsable;

  bool are_chunks() const {
    return unit == recording::ByteUnit::kGlibcChunk || unit == recording::ByteUnit::kGlibcEvenChunk;
  }

  Bytes usable(Bytes bytes, std::uint64_t count, std::uint64_t mmapped_count) const {
    if (!are_chunks()) return bytes;
    if (unit == recording::ByteUnit::kGlibcEvenChunk) mmapped_count = 0;
    return minus(bytes, kChunkHeader * count + (kMmappedChunkHeader - kChunkHeader) * mmapped_count);
  }
};

ArenaCell folded_cell(const recording::Arena& arena) {
  return {arena.folded_in_bytes, arena.folded_in_count, arena.folded_out_bytes, arena.folded_out_count};
}

/// Per-arena sums over living threads and what was folded; the main arena is what remains.
class ArenaSums {
 public:
  explicit ArenaSums(const Recording& raw) : kind_(raw.header.backend_kind) {
    for (std::uint32_t i = 1; i < recording::kArenaCapacity; ++i)
      cells_[i] = folded_cell(raw.arenas[i]);
  }

  void add_slot(const ThreadSlot& slot) {
    add(&cells_[recording::kMmappedChunks], slot.mmapped);
    add_indexed(slot.own_index, cell_of(slot.own, kind_));
    for (std::uint32_t i = 0; i < recording::kOtherCells; ++i)
      add_indexed(slot.other_index[i], slot.others[i]);
  }

  void close(const ArenaCell& totals) {
    ArenaCell rest{};
    for (std::uint32_t i = 1; i < recording::kArenaCapacity; ++i) add(&rest, cells_[i]);
    cells_[recording::kMainArena] = {
        minus(totals.in_bytes, rest.in_bytes), minus(totals.in_count, rest.in_count),
        minus(totals.out_bytes, rest.out_bytes), minus(totals.out_count, rest.out_count)};
  }

  const ArenaCell& operator[](std::uint32_t index) const { return cells_[index]; }
  std::uint64_t rejected_count() const { return rejected_count_; }

 private:
  void add_indexed(std::uint32_t index, const ArenaCell& cell) {
    if (index == 0) return;
    if (index < recording::kArenaCapacity)
      add(&cells_[index], cell);
    else
      ++rejected_count_;
  }

  recording::BackendKind kind_;
  std::array<ArenaCell, recording::kArenaCapacity> cells_{};
  std::uint64_t rejected_count_ = 0;
};

RecordedArena::Kind arena_kind(std::uint32_t index) {
  switch (index) {
    case recording::kMainArena:
      return RecordedArena::Kind::kMain;
    case recording::kMmappedChunks:
      return RecordedArena::Kind::kMmappedChunks;
    case recording::kUnnamedArenas:
      return RecordedArena::Kind::kUnnamed;
    default:
      return RecordedArena::Kind::kSecondary;
  }
}

void append_arenas(const Recording& raw, const ArenaSums& sums, Units units, Snapshot* out) {
  for (std::uint32_t i = 0; i < recording::kArenaCapacity; ++i) {
    const ArenaCell& cell = sums[i];
    bool used = cell.in_count != 0 || cell.out_count != 0 || raw.arenas[i].address != 0;
    if (!used && i != recording::kMainArena) continue;
    bool mmapped = i == recording::kMmappedChunks;
    RecordedArena& arena = out->arenas.emplace_back();
    arena.address = raw.arenas[i].address;
    arena.kind = arena_kind(i);
    arena.allocated_bytes = units.usable(cell.in_bytes, cell.in_count, mmapped ? cell.in_count : 0);
    arena.freed_bytes = units.usable(cell.out_bytes, cell.out_count, mmapped ? cell.out_count : 0);
    for (const ThreadSlot& slot : raw.threads)
      if (slot.tid != 0 && slot.own_index == i && i != 0) arena.threads.push_back(slot.tid);
  }
}

RecordedThread thread_of(const ThreadSlot& slot, const ArenaCell& totals, Units units) {
  RecordedThread thread;
  thread.tid = slot.tid;
  thread.name.assign(slot.name, strnlen(slot.name, sizeof slot.name));
  thread.allocated_bytes = units.usable(totals.in_bytes, totals.in_count, slot.mmapped.in_count);
  thread.freed_bytes = units.usable(totals.out_bytes, totals.out_count, slot.mmapped.out_count);
  return thread;
}

double ratio(Bytes part, Bytes whole) {
  return whole ? std::min(1.0, static_cast<double>(part) / static_cast<double>(whole)) : 1.0;
}

Bytes scaled(Bytes bytes, double factor) {
  if (factor == 1) return bytes;  // a double holds 53 bits only
  constexpr double kTooLarge = 0x1p63;
  return static_cast<Bytes>(std::min(static_cast<double>(bytes) * factor, kTooLarge));
}

/// Chunk bytes of all blocks ever allocated and freed.
struct ChunkTotals {
  Bytes in = 0;
  Bytes out = 0;
};

ChunkTotals chunk_totals(const Recording& raw) {
  ChunkTotals sum{raw.header.folded.in_bytes, raw.header.folded.out_bytes};
  for (const ThreadSlot& slot : raw.threads) {
    if (slot.tid == 0) continue;
    ArenaCell cell = totals_of(slot, raw.header.backend_kind);
    sum.in += cell.in_bytes;
    sum.out += cell.out_bytes;
  }
  return sum;
}

}  // namespace

void read_counters(const Recording& raw, Snapshot* out) {
  Units units{raw.header.byte_unit};
  ArenaSums sums(raw);
  ArenaCell totals = raw.header.folded;
  for (const ThreadSlot& slot : raw.threads) {
    if (slot.tid == 0) continue;
    ArenaCell cell = totals_of(slot, raw.header.backend_kind);
    add(&totals, cell);
    sums.add_slot(slot);
    out->threads.push_back(thread_of(slot, cell, units));
  }
  sums.close(totals);
  out->rejected_count += sums.rejected_count();
  const ArenaCell& mmapped = sums[recording::kMmappedChunks];
  out->allocated_bytes = units.usable(totals.in_bytes, totals.in_count, mmapped.in_count);
  out->freed_bytes = units.usable(totals.out_bytes, totals.out_count, mmapped.out_count);
  if (raw.header.backend_kind != recording::BackendKind::kJemalloc)
    out->live_count = minus(totals.in_count, totals.out_count);
  bool arenas_known = raw.header.backend_kind == recording::BackendKind::kGlibc &&
                      (raw.header.flags & recording::kFlagArenasUnknown) == 0;
  if (arenas_known) append_arenas(raw, sums, units, out);
}

TimelineScale timeline_scale(const Recording& raw, const Snapshot& totals) {
  if (!Units{raw.header.byte_unit}.are_chunks()) return {};
  ChunkTotals chunks = chunk_totals(raw);
  if (begins_late(totals)) {
    double both = ratio(totals.allocated_bytes, chunks.in);
    return {both, both};
  }
  return {ratio(totals.allocated_bytes, chunks.in),
          ratio(minus(totals.allocated_bytes, totals.freed_bytes), minus(chunks.in, chunks.out))};
}

// Allocated and freed are large and their difference small, so scaling each by its own ratio would put
// the ratios' noise into the live bytes: the difference gets the ratio of what is alive now.
TimelinePoint usable_point(const recording::TimelineEntry& entry, const TimelineScale& scale) {
  Bytes allocated = scaled(entry.allocated_bytes, scale.allocated_ratio);
  Bytes live = scaled(minus(entry.allocated_bytes, entry.freed_bytes), scale.live_ratio);
  // More freed than allocated, where the recording began late.
  Bytes excess = scaled(minus(entry.freed_bytes, entry.allocated_bytes), scale.live_ratio);
  return {.time_ns = entry.time_ns,
          .allocated_bytes = allocated,
          .freed_bytes = minus(allocated, live) + excess,
          .rss_bytes = entry.rss_bytes,
          .direct_mapped_bytes = entry.direct_mapped_bytes,
          .backend_resident_bytes = entry.backend_resident_bytes,
          .sample_mean_bytes = entry.sample_mean_bytes};
}

}  // namespace offheap
