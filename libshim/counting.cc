// SPDX-License-Identifier: Apache-2.0
//
// The slow halves of counting.h: threads without a slot, blocks outside the segment last seen, samples.
#include "libshim/counting.h"

#include <type_traits>

#include "libshim/early_arena.h"
#include "libshim/entries.h"
#include "libshim/process.h"
#include "libshim/sampler.h"

namespace shim {

backends::Backend active_backend;
uint16_t class_table[kClassTableLimit / 8 + 1];
uint64_t page_sizes[1u << 20];

namespace {

enum class Side { kIn, kOut };

/// The arena that owns a chunk with NON_MAIN_ARENA set, by the first word of its heap segment; 0 when
/// what stands there cannot be an arena, which would mean that segments are not 64 MiB here.
/// Source: glibc malloc/arena.c, heap_info.ar_ptr. An arena follows the heap_info of its first segment:
/// at 32 bytes (heap_info up to 2.34) or 48 (from 2.35), or a little beyond should it grow again.
uint64_t arena_of(uint64_t segment) {
  uint64_t arena = *reinterpret_cast<const uint64_t*>(segment);
  uint64_t offset = arena & ~kSegmentMask;
  if (SHIM_LIKELY(offset >= 32 && offset <= 128)) return arena;
  __atomic_fetch_or(&the_recording->header.flags, recording::kFlagArenasUnknown, __ATOMIC_RELAXED);
  return 0;
}

bool arenas_known() {
  return !(__atomic_load_n(&the_recording->header.flags, __ATOMIC_RELAXED) &
           recording::kFlagArenasUnknown);
}

/// The hot cell of an arena, or null.
HotCell* hot_cell_of(ThreadSlot* slot, uint32_t arena) {
  if (arena == recording::kMainArena) return &slot->main;
  return arena == slot->own_index ? &slot->own : nullptr;
}

/// The slot's cell for any other arena, taken at first sight; null when it has none left.
ArenaCell* cell_of(ThreadSlot* slot, const Place& place) {
  if (place.arena == recording::kMmappedChunks) return &slot->mmapped;
  for (uint32_t i = 0; i < recording::kOtherCells; ++i) {
    if (slot->other_index[i] == 0 && place.arena != recording::kUnnamedArenas)
      slot->other_index[i] = static_cast<uint16_t>(place.arena);
    if (slot->other_index[i] != place.arena) continue;
    slot->other_segment[i] = place.segment;
    return &slot->others[i];
  }
  return nullptr;
}

void add(ArenaCell* cell, Side side, uint64_t bytes) {
  uint64_t* bytes_word = side == Side::kIn ? &cell->in_bytes : &cell->out_bytes;
  uint64_t* count_word = side == Side::kIn ? &cell->in_count : &cell->out_count;
  *bytes_word += bytes;
  *count_word += 1;
}

void add_shared(recording::Arena* arena, Side side, uint64_t bytes) {
  add_relaxed(side == Side::kIn ? &arena->folded_in_bytes : &arena->folded_out_bytes, bytes);
  add_relaxed(side == Side::kIn ? &arena->folded_in_count : &arena->folded_out_count, uint64_t{1});
}

void count_in_cell(ThreadSlot* slot, const Place& place, Side side, uint64_t bytes) {
  ArenaCell* cell = cell_of(slot, place);
  if (cell) return add(cell, side, bytes);
  add(&slot->rest, side, bytes);
  add_shared(&the_recording->arenas[place.arena], side, bytes);
}

/// The arena of a thread's first secondary block is the one that it allocates from.
void note_own_arena(ThreadSlot* slot, const Place& place) {
  if (slot->own_index == 0 && place.arena >= recording::kFirstSecondaryArena)
    slot->own_index = static_cast<uint16_t>(place.arena);
}

/// The cell of a block that lies in a segment which this thread has met before, as most do where
/// threads free what others allocated; null for any other. A forked child's zeroed slot knows no
/// segment.
ArenaCell* familiar_cell(ThreadSlot* slot, const void* block) {
  if ((chunk_header(block) & (kChunkNonMain | kChunkMmapped)) != kChunkNonMain) return nullptr;
  uint64_t segment = segment_of(block);
  for (uint32_t i = 0; i < recording::kOtherCells; ++i)
    if (slot->other_segment[i] == segment) return &slot->others[i];
  return nullptr;
}

template <typename Policy>
bool try_count_out_familiar(void* block) {
  if constexpr (Policy::kHasCells) {
    ArenaCell* cell = familiar_cell(thread_state.slot, block);
    if (cell) add(cell, Side::kOut, Policy::bytes_out(block));
    return cell != nullptr;
  }
  return false;
}

/// The countdown for a block that is counted in a cell of its own: the main arena's, which is a counter
/// too, and must not count what it is charged with.
HotCell* charged_for_others(ThreadSlot* slot, uint64_t bytes) {
  slot->main.allocated_base -= static_cast<int64_t>(bytes);
  return &slot->main;
}

/// Enters a new block under its arena. Returns the hot cell whose countdown it is to be charged to.
HotCell* count_in_arena(ThreadSlot* slot, const Place& place, uint64_t bytes) {
  note_own_arena(slot, place);
  HotCell* hot = hot_cell_of(slot, place.arena);
  if (hot) {
    if (place.segment) slot->own_segment = place.segment;
    hot->allocated_count += 1;
    return hot;
  }
  count_in_cell(slot, place, Side::kIn, bytes);
  return charged_for_others(slot, bytes);
}

/// Takes `bytes` off the cell's countdown; samples the block when it runs out.
template <typename Policy>
void* charge(HotCell* cell, void* block, size_t requested, uint64_t bytes) {
  int64_t* countdown = countdown_of<Policy>(cell);
  *countdown -= static_cast<int64_t>(bytes);
  return *countdown < 0 ? countdown_slow<Policy>(block, requested, bytes, cell) : block;
}

/// The slot to count in: the thread's, taken now if it has none. Null: count in the shared cells.
ThreadSlot* slot_or_null() {
  reopen_after_fork();
  ThreadSlot* slot = thread_state.slot;
  if (SHIM_UNLIKELY(slot == &sentinel_slot)) return acquire_slot();
  if constexpr (kAttachBuild) {
    if (is_stale(slot)) renew_slot(slot);
  }
  return slot;
}

}  // namespace

Place place_of_chunk(const void* block) {
  uint64_t header = chunk_header(block);
  if (header & kChunkMmapped) return {recording::kMmappedChunks, 0};
  if (!(header & kChunkNonMain)) return {recording::kMainArena, 0};
  if (!arenas_known()) return {recording::kUnnamedArenas, 0};
  uint64_t segment = segment_of(block);
  uint64_t arena = arena_of(segment);
  if (!arena) return {recording::kUnnamedArenas, 0};
  return {arena_index(arena), segment};
}

void fill_class_table() {
  for (size_t i = 0; i < sizeof class_table / sizeof *class_table; ++i)
    class_table[i] = static_cast<uint16_t>(active_backend.good_size(i * 8));
}

template <typename Policy>
void* count_in_slow(void* block, size_t requested, uint64_t bytes) {
  if constexpr (Policy::kHasCells) {
    ThreadSlot* slot = thread_state.slot;
    if (ArenaCell* cell = familiar_cell(slot, block)) {
      add(cell, Side::kIn, bytes);
      return charge<Policy>(charged_for_others(slot, bytes), block, requested, bytes);
    }
  }
  Place place = Policy::kHasCells ? place_of_chunk(block) : Place{recording::kMainArena, 0};
  if (is_tagged(place)) tag_add(block);
  ThreadSlot* slot = slot_or_null();
  if (!slot) {
    // Without a slot jemalloc's own words of this thread are not read either.
    count_shared_in(place.arena,
                    Policy::kCountsFreedBytes ? bytes : figures_of<Policy>(block).usable_bytes);
    return block;
  }
  HotCell* cell = Policy::kCountsBlocks ? count_in_arena(slot, place, bytes) : &slot->main;
  return charge<Policy>(cell, block, requested, bytes);
}

template <typename Policy>
void* countdown_slow(void* block, size_t requested, uint64_t bytes, HotCell* cell) {
  ThreadSlot* slot = thread_state.slot;
  if (slot == &sentinel_slot) return count_in_slow<Policy>(block, requested, bytes);
  if constexpr (kAttachBuild) {
    if (is_stale(slot)) return count_in_slow<Policy>(block, requested, bytes);
  }
  countdown_ran_out(cell, {block, requested, active_backend.usable_size(block), bytes});
  return block;
}

template <typename Policy>
void* malloc_slow(size_t size) {
  void* block = Policy::malloc(size);
  return block ? count_in<Policy>(block, size, Policy::bytes_in(block, size)) : nullptr;
}

template <typename Policy>
void* charged_malloc_slow(size_t size) {
  thread_state.countdown += static_cast<int64_t>(size);
  return malloc_slow<Policy>(size);
}

template <typename Policy>
void count_out(const BlockFigures& block) {
  ThreadSlot* slot = slot_or_null();
  if (!slot) {
    count_shared_out(block.place.arena, Policy::kCountsFreedBytes ? block.bytes : block.usable_bytes);
    return;
  }
  if constexpr (!Policy::kCountsBlocks) return;
  HotCell* cell = hot_cell_of(slot, block.place.arena);
  if (!cell) return count_in_cell(slot, block.place, Side::kOut, block.bytes);
  if (block.place.segment) slot->own_segment_free = block.place.segment;
  cell->freed_count += 1;
  cell->freed += block.bytes / Policy::kFreedUnit;
}

/// Whether a free is among the first things that its thread does. It may as well be the last: glibc
/// frees what belonged to other threads' stacks in a thread that is past its destructors, so nobody
/// would fold the slot that it took.
bool is_slotless_free() {
  constexpr uint8_t kMostSlotlessFrees = 64;
  reopen_after_fork();
  return thread_state.slot == &sentinel_slot && thread_state.slotless_free_count < kMostSlotlessFrees;
}

template <typename Policy>
void count_slotless_free(const BlockFigures& block) {
  uint64_t bytes = Policy::kCountsFreedBytes ? block.bytes : block.usable_bytes;
  count_shared_out(block.place.arena, bytes);
  thread_state.slotless_free_count += 1;
  if constexpr (!Policy::kCountsFreedBytes) thread_state.slotless_freed_bytes += bytes;
}

/// A preloaded jemalloc keeps something for each thread that asks for a block's size, in lists that
/// outlive a thread past its destructors: there, what is freed first is not counted.
template <typename Policy>
bool may_ask() {
  if constexpr (!std::is_same_v<Policy, ForeignPolicy>) return true;
  return !active_backend.thread_byte_counters || !is_slotless_free() || !is_past_destructors();
}

template <typename Policy>
void count_free(void* block) {
  if (try_count_out_familiar<Policy>(block) || !may_ask<Policy>()) return;
  BlockFigures figures = figures_of<Policy>(block);
  if (is_tagged(figures.place)) tag_remove(block);
  is_slotless_free() ? count_slotless_free<Policy>(figures) : count_out<Policy>(figures);
}

template <typename Policy>
void free_slow(void* block) {
  if (tag_may_be_sample(block)) {
    if (!block || is_early(block)) return;
    free_sample(block);
  }
  count_free<Policy>(block);
  Policy::free(block);
}

void free_first(void* block, ThreadSlot*) { entry.free_slow(block); }

#define SHIM_INSTANTIATE(Policy)                                            \
  template void* count_in_slow<Policy>(void*, size_t, uint64_t);            \
  template void* countdown_slow<Policy>(void*, size_t, uint64_t, HotCell*); \
  template void* malloc_slow<Policy>(size_t);                               \
  template void* charged_malloc_slow<Policy>(size_t);                       \
  template void count_out<Policy>(const BlockFigures&);                     \
  template void free_slow<Policy>(void*);
SHIM_INSTANTIATE(GlibcPolicy)
SHIM_INSTANTIATE(JemallocPolicy)
SHIM_INSTANTIATE(TcmallocPolicy)
SHIM_INSTANTIATE(ForeignPolicy)
#undef SHIM_INSTANTIATE

}  // namespace shim
