// SPDX-License-Identifier: Apache-2.0
//
// The program's own mappings (mmap, mremap, brk), each with the site that made it, in the recording.
// Lock-free, since a program may map inside a signal handler and fork at any time.
#pragma once

#include <cstdint>

#include "libshim/recording_layout.h"

namespace shim {

/// Enters [begin, begin + length), length rounded up to whole pages. When the kernel may have replaced
/// older mappings there (MAP_FIXED), call mapping_remove for the range first. When the table is full
/// the mapping is not counted anywhere but in the losses.
///
/// Keeps Header::direct_mapped_bytes and Site::mapped_bytes.
/// Thread: any. Signal: safe. Alloc: none. errno: untouched.
void mapping_add(recording::Recording* recording, uint64_t begin, uint64_t length, uint32_t site,
                 uint64_t now_ms);

/// Removes what lies in [begin, begin + length), length rounded up to whole pages: whole entries, ends
/// of entries, or holes in them, as munmap does. What was never entered is ignored. Before the system
/// call: once it is done, another thread may be given the same range.
///
/// Keeps Header::direct_mapped_bytes and Site::unmapped_bytes. A hole whose upper rest finds no free
/// entry counts that rest as unmapped too, and as a loss.
/// Thread: any. Signal: safe. Alloc: none. errno: untouched.
void mapping_remove(recording::Recording* recording, uint64_t begin, uint64_t length);

}  // namespace shim
