// SPDX-License-Identifier: Apache-2.0
//
// An allocator that is there as a shared object: preloaded after the shim, linked by the program, or
// opened by path. At most one a process.
#pragma once

#include "backends/backend.h"

namespace backends {

/// Where dlsym looks: RTLD_NEXT or a handle.
///
/// Yields glibc's own table where that is what `handle` finds; null where it finds no malloc and free.
/// A function that the allocator lacks is made of those that it has (pvalloc of memalign and so on):
/// never of glibc's, which would hand out blocks that the allocator's free does not know.
const Backend* initialise_foreign(void* handle);

/// The file that holds `address`, or null.
const char* module_of(const void* address);

}  // namespace backends
