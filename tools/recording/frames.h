// SPDX-License-Identifier: Apache-2.0
//
// The frames of a site: return addresses, then Java frames with their names.
#pragma once

#include "libshim/recording_layout.h"
#include "recording/snapshot.h"

namespace offheap {

/// Fills the frames of `out` from the pool words of `site`, whose range the caller has checked.
///
/// Errors: false when something in them cannot be: a name out of bounds, a kind that does not exist, a
///         return address after a Java frame. What follows it is left out; `out` is usable.
/// Thread: any; no shared state.
bool read_frames(const recording::Recording& raw, const recording::Site& site, RecordedSite* out);

/// By which door Java code got a site's memory.
enum class AllocatedBy {
  kOther,         ///< no Java frames, or the VM's own allocation on behalf of Java code
  kDirectBuffer,  ///< java.nio's direct buffers
  kUnsafe,        ///< Unsafe.allocateMemory by anyone else: Netty, foreign memory, serialisers
  kJni,           ///< a native method's own code
};
AllocatedBy allocated_by(const RecordedSite& site);

}  // namespace offheap
