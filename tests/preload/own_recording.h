// SPDX-License-Identifier: Apache-2.0
//
// A program's view of its own recording, for tests that count along. The recording is found as an
// outsider would find it, by its name in /proc/self/maps, and read in place: the reader of tools/ has
// tests of its own, and nothing of it is needed to add up counters.
#pragma once

#include <cinttypes>
#include <cstdint>
#include <cstring>

#include "check.h"
#include "libshim/recording_layout.h"

namespace own {

/// The process's recording, or null when it has none under its usual name.
inline const recording::Recording* find_recording() {
  FILE* maps = fopen("/proc/self/maps", "r");
  static char line[4096];
  uintptr_t found = 0;
  while (maps && !found && fgets(line, sizeof line, maps))
    if (strstr(line, recording::kMemfdName) || strstr(line, ".offheap"))
      found = strtoull(line, nullptr, 16);
  if (maps) fclose(maps);
  auto* recording = reinterpret_cast<const recording::Recording*>(found);
  if (recording)
    CHECK(memcmp(recording->header.magic, recording::kMagic, sizeof recording::kMagic) == 0);
  return recording;
}

/// Usable bytes and blocks handed out and taken back.
struct Counts {
  int64_t in_bytes = 0;
  int64_t out_bytes = 0;
  int64_t in_count = 0;
  int64_t out_count = 0;

  int64_t live_bytes() const { return in_bytes - out_bytes; }
  int64_t live_count() const { return in_count - out_count; }
};

inline Counts operator-(const Counts& a, const Counts& b) {
  return {a.in_bytes - b.in_bytes, a.out_bytes - b.out_bytes, a.in_count - b.in_count,
          a.out_count - b.out_count};
}

inline void add(Counts& counts, const Counts& more) {
  counts.in_bytes += more.in_bytes;
  counts.out_bytes += more.out_bytes;
  counts.in_count += more.in_count;
  counts.out_count += more.out_count;
}

/// Counts as usable bytes: a chunk of glibc spends 8 bytes on its header, a mapped one 16 before 2.43.
inline Counts as_usable(const recording::Header& header, Counts counts, recording::ArenaCell mapped) {
  if (header.byte_unit == recording::ByteUnit::kUsable) return counts;
  if (header.byte_unit == recording::ByteUnit::kGlibcEvenChunk) mapped = {};
  counts.in_bytes -= 8 * (counts.in_count + static_cast<int64_t>(mapped.in_count));
  counts.out_bytes -= 8 * (counts.out_count + static_cast<int64_t>(mapped.out_count));
  return counts;
}

inline Counts cell_counts(const recording::ArenaCell& cell) {
  return {static_cast<int64_t>(cell.in_bytes), static_cast<int64_t>(cell.out_bytes),
          static_cast<int64_t>(cell.in_count), static_cast<int64_t>(cell.out_count)};
}

inline Counts cell_counts(const recording::HotCell& cell, bool chunks) {
  return {cell.allocated_base - cell.countdown,
          static_cast<int64_t>(cell.freed * (chunks ? recording::kChunkWordBytes : 1)),
          static_cast<int64_t>(cell.allocated_count), static_cast<int64_t>(cell.freed_count)};
}

/// Under jemalloc the shim counts bytes only, and the counts of blocks below mean nothing; jemalloc's
/// own stand in its statistics (programs/blocks_of_jemalloc.cc).
inline bool counts_blocks(const recording::Header& header) {
  return header.backend_kind != recording::BackendKind::kJemalloc;
}

inline Counts slot_counts(const recording::Header& header, const recording::ThreadSlot& slot) {
  if (!counts_blocks(header))
    return {*reinterpret_cast<const int64_t*>(slot.jemalloc_allocated_at),
            *reinterpret_cast<const int64_t*>(slot.jemalloc_deallocated_at)};
  bool chunks = header.backend_kind == recording::BackendKind::kGlibc;
  Counts counts = cell_counts(slot.main, chunks);
  add(counts, cell_counts(slot.own, chunks));
  add(counts, cell_counts(slot.mmapped));
  for (const recording::ArenaCell& cell : slot.others) add(counts, cell_counts(cell));
  add(counts, cell_counts(slot.rest));
  return as_usable(header, counts, slot.mmapped);
}

inline Counts folded_counts(const recording::Recording& recording) {
  const recording::Arena& arena = recording.arenas[recording::kMmappedChunks];
  recording::ArenaCell mapped{arena.folded_in_bytes, arena.folded_in_count, arena.folded_out_bytes,
                              arena.folded_out_count};
  Counts counts = cell_counts(recording.header.folded);
  return as_usable(recording.header, counts, mapped);
}

/// The whole process: threads alive and threads gone. Exact when all other threads are quiet.
inline Counts process_counts(const recording::Recording& recording) {
  Counts sum = folded_counts(recording);
  for (uint32_t i = 0; i < recording.header.thread_high_water; ++i)
    if (recording.threads[i].tid) add(sum, slot_counts(recording.header, recording.threads[i]));
  return sum;
}

/// Ends the test unless what lives since `start` is that many usable bytes in so many blocks.
inline void check_live(const char* when, const recording::Recording& recording, const Counts& start,
                       int64_t live_bytes, int64_t live_count) {
  const Counts change = process_counts(recording) - start;
  const bool same_count = !counts_blocks(recording.header) || change.live_count() == live_count;
  if (change.live_bytes() == live_bytes && same_count) return;
  fprintf(stderr,
          "%s: recorded %" PRId64 " bytes in %" PRId64 " blocks; true %" PRId64 " in %" PRId64 "\n",
          when, change.live_bytes(), change.live_count(), live_bytes, live_count);
  _Exit(1);
}

/// The slot of thread `tid`, or null.
inline const recording::ThreadSlot* find_slot(const recording::Recording& recording, uint32_t tid) {
  for (uint32_t i = 0; i < recording.header.thread_high_water; ++i)
    if (recording.threads[i].tid == tid) return &recording.threads[i];
  return nullptr;
}

/// The live sample of the block at `address`, or null when it was not sampled.
inline const recording::LiveSample* find_sample(const recording::Recording& recording,
                                                const void* address) {
  for (uint32_t i = 0; i < recording::kLiveSampleCapacity; ++i)
    if (recording.live_samples.addresses[i] == reinterpret_cast<uintptr_t>(address))
      return &recording.live_samples.records[i];
  return nullptr;
}

}  // namespace own
