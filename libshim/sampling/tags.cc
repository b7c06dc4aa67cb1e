// SPDX-License-Identifier: Apache-2.0
#include "libshim/sampling/tags.h"

#include "libshim/sampling/atomics.h"

namespace shim {

// Page aligned so that the pages touched by a heap are no one else's.
alignas(4096) uint8_t tag_table[kTagCount];

namespace {
constexpr uint8_t kSaturated = 255;
}

void tags_init() { store_relaxed(&tag_table[0], kSaturated); }

void tag_add(const void* block) {
  uint8_t* tag = &tag_table[tag_index(block)];
  uint8_t count = load_relaxed(tag);
  while (count != kSaturated && !replace_if(tag, count, static_cast<uint8_t>(count + 1))) {
    count = load_relaxed(tag);
  }
}

// A saturated count has forgotten how many there were, so it stays: a false "may be" costs a look-up,
// a false "no" would lose a free.
void tag_remove(const void* block) {
  uint8_t* tag = &tag_table[tag_index(block)];
  uint8_t count = load_relaxed(tag);
  while (count != kSaturated && count != 0 &&
         !replace_if(tag, count, static_cast<uint8_t>(count - 1))) {
    count = load_relaxed(tag);
  }
}

}  // namespace shim
