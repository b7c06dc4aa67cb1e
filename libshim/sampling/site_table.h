// SPDX-License-Identifier: Apache-2.0
//
// The site table: each distinct stack once, with its frames in the recording's frame pool. Entries are
// added, never moved or removed, so an index stays good for the life of the recording.
#pragma once

#include <cstdint>

#include "libshim/recording_layout.h"
#include "libshim/unwind/unwinder.h"

namespace shim {

/// The index of the site of `stack` under `flags` (recording::SiteFlag; the stack's own truncated and
/// incomplete marks are added), entered if it is new, with the modules of its frames. A new stack that
/// the frame pool has no room for is entered by its innermost frames, kSiteShortened. kNoSite when
/// there is no room for these either; that loss is counted. `*inserted` says whether it is new.
///
/// Stacks are told apart by a 64-bit hash of frames and flags.
/// Thread: any. Signal: safe. Alloc: none. errno: untouched.
uint32_t site_of(recording::Recording* recording, const Stack& stack, uint16_t flags, bool* inserted);

/// The same for words of the frame pool as they are to be stored, at most recording::kMaxSiteWords,
/// and all flags.
struct SiteWords {
  const uint64_t* words;
  uint32_t count;
};
uint32_t site_of(recording::Recording* recording, SiteWords stack, uint16_t flags, bool* inserted);

}  // namespace shim
