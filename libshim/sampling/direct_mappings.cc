// SPDX-License-Identifier: Apache-2.0
//
// Entries stand in the order of arrival below Header::direct_mapping_high_water; a small table of hints
// in private memory finds the entry that begins at an address, and everything else is a scan of at most
// 8,192 words, which is little next to the system call that brought us here.
//
// An entry's `begin` goes 0 -> kBeingWritten (ours) -> address, and address -> kBeingWritten (ours) ->
// 0 or address again. Whoever finds an entry being written while looking for overlaps looks again a few
// times, since the entry may overlap when it is back, and then gives up: the writer may be a frame
// below us that this very signal handler interrupted.
#include "libshim/sampling/direct_mappings.h"

#include "libshim/sampling/atomics.h"

namespace shim {
namespace {

using recording::DirectMapping;
using recording::kDirectMappingCapacity;
using recording::Recording;

constexpr uint64_t kFree = 0;
constexpr uint64_t kBeingWritten = 1;
constexpr uint64_t kPageBytes = 4096;
constexpr uint32_t kLooks = 64;
constexpr uint32_t kHints = 4096;

/// Index of the entry that last began at an address of this hash, or anything else: always verified.
uint16_t hints[kHints];
/// No entry below this was free when last looked; a starting point, not a promise.
uint32_t first_free;
/// Upper rests that have been given an entry of their own, perhaps behind the back of a thread that is
/// looking for overlaps: it looks again when this has moved.
uint32_t split_count;

uint16_t* hint_of(uint64_t begin) { return &hints[((begin / kPageBytes) * 0x9e3779b97f4a7c15u) >> 52]; }

struct Range {
  uint64_t begin;
  uint64_t end;
};

Range whole_pages(uint64_t begin, uint64_t length) {
  return {begin, begin + ((length + kPageBytes - 1) & ~(kPageBytes - 1))};
}

void count_mapped(Recording* recording, uint32_t site, uint64_t bytes) {
  add_relaxed(&recording->header.direct_mapped_bytes, bytes);
  if (site < recording::kSiteCapacity) add_relaxed(&recording->sites[site].mapped_bytes, bytes);
}

void count_unmapped(Recording* recording, uint32_t site, uint64_t bytes) {
  add_relaxed(&recording->header.direct_mapped_bytes, uint64_t{0} - bytes);
  if (site < recording::kSiteCapacity) add_relaxed(&recording->sites[site].unmapped_bytes, bytes);
}

void count_loss(Recording* recording) {
  add_relaxed<uint64_t>(&recording->header.losses.direct_mapping_full_count, 1);
}

DirectMapping* claim_free_from(Recording* recording, uint32_t from, uint32_t to) {
  for (uint32_t i = from; i < to; i++) {
    DirectMapping* entry = &recording->direct_mappings[i];
    if (load_relaxed(&entry->begin) != kFree) continue;
    if (!replace_if(&entry->begin, kFree, kBeingWritten)) continue;
    raise_to(&recording->header.direct_mapping_high_water, i + 1);
    store_relaxed(&first_free, i + 1);
    return entry;
  }
  return nullptr;
}

DirectMapping* claim_free(Recording* recording) {
  uint32_t from = load_relaxed(&first_free);
  if (from > kDirectMappingCapacity) from = kDirectMappingCapacity;
  // A recording that was opened anew, after a fork, is filled from its beginning.
  const uint32_t high_water = load_relaxed(&recording->header.direct_mapping_high_water);
  if (from > high_water) from = high_water;
  DirectMapping* entry = claim_free_from(recording, from, kDirectMappingCapacity);
  return entry != nullptr ? entry : claim_free_from(recording, 0, from);
}

bool enter(Recording* recording, Range range, uint32_t site, uint32_t born_ms) {
  DirectMapping* entry = claim_free(recording);
  if (entry == nullptr) {
    count_loss(recording);
    return false;
  }
  store_relaxed(&entry->length, range.end - range.begin);
  entry->site = site;
  entry->born_ms = born_ms;
  store_release(&entry->begin, range.begin);
  store_relaxed(hint_of(range.begin), static_cast<uint16_t>(entry - recording->direct_mappings));
  return true;
}

void release(Recording* recording, DirectMapping* entry) {
  store_release(&entry->begin, kFree);
  const auto index = static_cast<uint32_t>(entry - recording->direct_mappings);
  if (index < load_relaxed(&first_free)) store_relaxed(&first_free, index);
}

// `entry` is claimed and holds `old`; takes `hole`, which overlaps it, out and gives the entry back.
void cut(Recording* recording, DirectMapping* entry, Range old, Range hole) {
  const Range lower{old.begin, hole.begin > old.begin ? hole.begin : old.begin};
  const Range upper{hole.end < old.end ? hole.end : old.end, old.end};
  const uint32_t site = entry->site;
  uint64_t gone = upper.begin - lower.end;
  const bool has_lower = lower.end > lower.begin;
  if (has_lower) store_relaxed(&entry->length, lower.end - lower.begin);
  // The upper rest takes the entry when there is no lower one, else an entry of its own.
  if (upper.end > upper.begin && has_lower) {
    if (!enter(recording, upper, site, entry->born_ms)) gone += upper.end - upper.begin;
    add_relaxed(&split_count, 1u);  // seen by whoever sees the lower rest, which is released below
  } else if (upper.end > upper.begin) {
    store_relaxed(&entry->length, upper.end - upper.begin);
    store_relaxed(hint_of(upper.begin), static_cast<uint16_t>(entry - recording->direct_mappings));
    store_release(&entry->begin, upper.begin);
  }
  if (has_lower) store_release(&entry->begin, lower.begin);
  if (!has_lower && upper.end == upper.begin) release(recording, entry);
  count_unmapped(recording, site, gone);
}

// A mapping that is unmapped as it was mapped, which is nearly every one.
bool remove_exact(Recording* recording, Range range) {
  const uint16_t index = load_relaxed(hint_of(range.begin));
  if (index >= kDirectMappingCapacity) return false;
  DirectMapping* entry = &recording->direct_mappings[index];
  if (load_acquire(&entry->begin) != range.begin ||
      load_relaxed(&entry->length) != range.end - range.begin) {
    return false;
  }
  if (!replace_if(&entry->begin, range.begin, kBeingWritten)) return false;
  cut(recording, entry, range, range);
  return true;
}

// False when the entry was being written, or was taken from under us: then it has to be seen again.
bool remove_from(Recording* recording, DirectMapping* entry, Range range) {
  const uint64_t begin = load_acquire(&entry->begin);
  if (begin == kFree || begin >= range.end) return true;
  if (begin == kBeingWritten) return false;
  if (load_relaxed(&entry->length) <= range.begin - begin && begin < range.begin) return true;
  if (!replace_if(&entry->begin, begin, kBeingWritten)) return false;
  const Range old{begin, begin + entry->length};
  if (old.end > range.begin) {
    cut(recording, entry, old, range);
  } else {
    store_release(&entry->begin, begin);  // its length had changed since we looked
  }
  return true;
}

void remove_range(Recording* recording, Range range) {
  bool is_settled = false;
  for (uint32_t look = 0; look < kLooks && !is_settled; look++) {
    is_settled = true;
    const uint32_t splits = load_acquire(&split_count);
    const uint32_t high_water = load_acquire(&recording->header.direct_mapping_high_water);
    for (uint32_t i = 0; i < high_water && i < kDirectMappingCapacity; i++) {
      if (!remove_from(recording, &recording->direct_mappings[i], range)) is_settled = false;
    }
    // Our own split moves the count as well, which costs one more look.
    if (load_acquire(&split_count) != splits) is_settled = false;
  }
  if (!is_settled) count_loss(recording);
}

}  // namespace

void mapping_add(Recording* recording, uint64_t begin, uint64_t length, uint32_t site,
                 uint64_t now_ms) {
  const Range range = whole_pages(begin, length);
  if (begin <= kBeingWritten || range.end <= begin) return;
  remove_range(recording, range);
  if (enter(recording, range, site, static_cast<uint32_t>(now_ms))) {
    count_mapped(recording, site, range.end - begin);
  }
}

void mapping_remove(Recording* recording, uint64_t begin, uint64_t length) {
  const Range range = whole_pages(begin, length);
  if (range.end > begin && !remove_exact(recording, range)) remove_range(recording, range);
}

}  // namespace shim
