// SPDX-License-Identifier: Apache-2.0
#include "libshim/sampling/tags.h"

#include "libshim/sampling/atomics.h"

namespace shim {

// Page aligned so that the pages touched by a heap are no one else's.
alignas(4096) uint8_t tag_table[kTagByteCount];

namespace {

constexpr uint32_t kSaturated = 3;

/// Where a block's two bits stand in their byte.
uint32_t shift_of(const void* block) {
  return (static_cast<uint32_t>(reinterpret_cast<uintptr_t>(block)) >> kTagGranuleShift & 3) * 2;
}

uint32_t count_in(uint8_t byte, uint32_t shift) { return byte >> shift & kSaturated; }

}  // namespace

void tags_init() { store_relaxed(&tag_table[0], uint8_t{0xff}); }

void tag_add(const void* block) {
  uint8_t* tag = &tag_table[tag_byte_index(block)];
  uint32_t shift = shift_of(block);
  uint8_t byte = load_relaxed(tag);
  while (count_in(byte, shift) != kSaturated &&
         !replace_if(tag, byte, static_cast<uint8_t>(byte + (1u << shift)))) {
    byte = load_relaxed(tag);
  }
}

// A saturated count has forgotten how many there were, so it stays: a false "may be" costs a look-up,
// a false "no" would lose a free. Three samples within 256 bytes are rare at any mean.
void tag_remove(const void* block) {
  uint8_t* tag = &tag_table[tag_byte_index(block)];
  uint32_t shift = shift_of(block);
  uint8_t byte = load_relaxed(tag);
  while (count_in(byte, shift) != kSaturated && count_in(byte, shift) != 0 &&
         !replace_if(tag, byte, static_cast<uint8_t>(byte - (1u << shift)))) {
    byte = load_relaxed(tag);
  }
}

bool tag_may_be_sample(const void* block) {
  return count_in(load_relaxed(&tag_table[tag_byte_index(block)]), shift_of(block)) != 0;
}

}  // namespace shim
