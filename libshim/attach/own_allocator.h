// SPDX-License-Identifier: Apache-2.0
//
// The malloc that the process uses already: glibc's, or that of an allocator which was preloaded or
// linked as a library. It goes on serving every call; only who counts changes.
#pragma once

#include "backends/backend.h"
#include "libshim/recording_layout.h"

namespace shim {

struct OwnAllocator {
  const backends::Backend* backend;
  const void* module_base;  ///< of the library that holds it
  bool is_libc;
};

/// Errors: kPreloaded, kNoAllocator, kLinkedIn, kNoUsableSize.
/// Thread: one at a time; takes the loader's lock.
recording::AttachResult find_own_allocator(OwnAllocator* out);

/// The process's own definition of `name`, or null.
void* own_definition(const char* name);

/// The base of the module that holds `address`, or null.
const void* base_of(const void* address);

}  // namespace shim
