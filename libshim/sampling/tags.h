// SPDX-License-Identifier: Apache-2.0
//
// The tag table: two bits say how many live samples begin in each 256 bytes of the low 4 GiB of address
// bits. free() asks whether any of the four pairs in a block's byte is set, and nearly always hears no;
// where one is, the slow path asks for the block's own.
//
// A byte stands for 1 KiB so that the table of a large heap stays in the cache: 64 bytes of tags cover
// 64 KiB of heap. With a byte for 256 bytes a free in redis-server (60 MB live) waited longer for its
// tag than for all else that it does here. The granule is 256 bytes because the rate of false answers
// is granule / sampling mean, whatever the number of live samples; hashed filters fill up instead.
//
// The table is 4 MiB of bss of which a process touches little.
#pragma once

#include <cstdint>

namespace shim {

inline constexpr uint32_t kTagGranuleShift = 8;
inline constexpr uint32_t kTagByteShift = 10;
inline constexpr uint32_t kTagByteCount = 1u << (32 - kTagByteShift);

/// For each granule the live samples that begin in it; 3 = 3 or more, and never counted down again.
extern uint8_t tag_table[kTagByteCount] __attribute__((visibility("hidden")));

/// Marks the first granules for good, so that free(nullptr) takes the slow path and the fast one needs
/// no test for null. The mark cannot stand in the initialiser: it would turn 4 MiB of bss into file.
void tags_init();

/// Counts a sample that begins at `block`. Before the block is handed to the program.
/// Thread: any. Signal: safe. Alloc: none.
void tag_add(const void* block);

/// Takes back one tag_add of `block`. Before the block is handed back to the backend.
/// Thread: any. Signal: safe. Alloc: none.
void tag_remove(const void* block);

inline uint32_t tag_byte_index(const void* block) {
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(block)) >> kTagByteShift;
}

/// False: `block` is no live sample. True: it may be one, or lie within 1 KiB of one.
///
/// A plain read, since an atomic one would not fold into the comparison. The count of this very block
/// was added before the program got the pointer, hence before it can free it; whether a neighbour's
/// count is seen in time does not matter.
__attribute__((no_sanitize("thread"))) inline bool tag_is_near_sample(const void* block) {
  return tag_table[tag_byte_index(block)] != 0;
}

/// False: `block` is no live sample. True: it may be one; look it up.
bool tag_may_be_sample(const void* block);

}  // namespace shim
