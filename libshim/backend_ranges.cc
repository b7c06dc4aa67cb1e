// SPDX-License-Identifier: Apache-2.0
//
// Called from inside a backend, possibly under its locks. What the backend maps it owns, so two threads
// never change the same range at once; only finding a free entry and growing an end are contended.
#include "libshim/backend_ranges.h"

#include <stddef.h>
#include <stdint.h>

#include "backends/backend.h"
#include "libshim/recorder.h"

namespace shim {
namespace {

using recording::BackendRange;
using recording::kBackendRangeCapacity;

BackendRange ranges[kBackendRangeCapacity];
uint32_t high_water = 0;

uint64_t load(const uint64_t* word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
void store(uint64_t* word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_RELAXED); }

bool replace(uint64_t* word, uint64_t expected, uint64_t value) {
  return __atomic_compare_exchange_n(word, &expected, value, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

uint32_t entries_in_use() {
  uint32_t count = __atomic_load_n(&high_water, __ATOMIC_ACQUIRE);
  return count < kBackendRangeCapacity ? count : kBackendRangeCapacity;
}

void publish(uint32_t index) {
  if (!the_recording) return;
  BackendRange& out = the_recording->backend_ranges[index];
  store(&out.begin, load(&ranges[index].begin));
  store(&out.end, load(&ranges[index].end));
  the_recording->header.backend_range_count = entries_in_use();
}

bool extend(uint64_t begin, uint64_t end) {
  for (uint32_t i = 0; i < entries_in_use(); ++i) {
    if (load(&ranges[i].begin) == 0 || !replace(&ranges[i].end, begin, end)) continue;
    publish(i);
    return true;
  }
  return false;
}

/// Index of an unused entry, its begin already set; the capacity when there is none.
uint32_t claim(uint64_t begin) {
  for (uint32_t i = 0; i < entries_in_use(); ++i)
    if (load(&ranges[i].begin) == 0 && replace(&ranges[i].begin, 0, begin)) return i;
  uint32_t fresh = __atomic_fetch_add(&high_water, 1u, __ATOMIC_ACQ_REL);
  if (fresh >= kBackendRangeCapacity) {
    __atomic_store_n(&high_water, kBackendRangeCapacity, __ATOMIC_RELEASE);
    return kBackendRangeCapacity;
  }
  return replace(&ranges[fresh].begin, 0, begin) ? fresh : claim(begin);
}

void insert(uint64_t begin, uint64_t end) {
  uint32_t index = claim(begin);
  if (index == kBackendRangeCapacity) {
    if (the_recording) add_relaxed(&the_recording->header.losses.backend_range_full_count, uint64_t{1});
    return;
  }
  store(&ranges[index].end, end);
  publish(index);
}

/// Takes [begin, end) out of entry `index`, which overlaps it.
void cut(uint32_t index, uint64_t begin, uint64_t end) {
  uint64_t old_begin = load(&ranges[index].begin);
  uint64_t old_end = load(&ranges[index].end);
  if (begin <= old_begin && end >= old_end) {
    store(&ranges[index].end, 0);
    store(&ranges[index].begin, 0);
  } else if (begin <= old_begin) {
    store(&ranges[index].begin, end);
  } else {
    store(&ranges[index].end, begin);
    if (end < old_end) insert(end, old_end);
  }
  publish(index);
}

}  // namespace

void publish_backend_ranges() {
  for (uint32_t i = 0; i < entries_in_use(); ++i) publish(i);
}

extern "C" void shim_backend_mapped(void* begin, size_t bytes) {
  auto first = reinterpret_cast<uint64_t>(begin);
  if (!extend(first, first + bytes)) insert(first, first + bytes);
}

extern "C" void shim_backend_unmapped(void* begin, size_t bytes) {
  auto first = reinterpret_cast<uint64_t>(begin);
  for (uint32_t i = 0; i < entries_in_use(); ++i)
    if (load(&ranges[i].begin) != 0 && load(&ranges[i].begin) < first + bytes &&
        first < load(&ranges[i].end))
      cut(i, first, first + bytes);
}

}  // namespace shim
