// SPDX-License-Identifier: Apache-2.0
//
// The tag table: one byte says how many live samples may begin in each 256 bytes of the low 4 GiB of
// address bits. free() asks it whether a block may be a sample, and nearly always hears no.
//
// The table is 16 MiB of bss of which a process touches little: 64 bytes of tags cover 16 KiB of heap.
// The granule is 256 bytes because the rate of false answers is granule / sampling mean, whatever the
// number of live samples; hashed filters fill up instead.
#pragma once

#include <cstdint>

namespace shim {

inline constexpr uint32_t kTagGranuleShift = 8;
inline constexpr uint32_t kTagCount = 1u << (32 - kTagGranuleShift);

/// Live samples that begin in a granule; 255 = 255 or more, and never counted down again.
extern uint8_t tag_table[kTagCount] __attribute__((visibility("hidden")));

/// Marks granule 0 for good, so that free(nullptr) takes the slow path and the fast one needs no test
/// for null. The mark cannot stand in the initialiser: it would turn 16 MiB of bss into file.
void tags_init();

/// Counts a sample that begins at `block`. Before the block is handed to the program.
/// Thread: any. Signal: safe. Alloc: none.
void tag_add(const void* block);

/// Takes back one tag_add of `block`. Before the block is handed back to the backend.
/// Thread: any. Signal: safe. Alloc: none.
void tag_remove(const void* block);

inline uint32_t tag_index(const void* block) {
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(block)) >> kTagGranuleShift;
}

/// False: `block` is no live sample. True: it may be one; look it up.
///
/// A plain read, since an atomic one would not fold into the comparison. The count of this very block
/// was added before the program got the pointer, hence before it can free it; whether a neighbour's
/// count is seen in time does not matter.
__attribute__((no_sanitize("thread"))) inline bool tag_may_be_sample(const void* block) {
  return tag_table[tag_index(block)] != 0;
}

}  // namespace shim
