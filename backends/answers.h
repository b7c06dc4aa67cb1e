// SPDX-License-Identifier: Apache-2.0
//
// Answers for glibc's malloc_* family that allocators which are not glibc have in common.
#pragma once

#include <stddef.h>

#include "backends/backend.h"

namespace backends {

/// glibc's `struct mallinfo2`, which glibc's headers have since 2.33 only.
struct WideMallinfo {
  size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

/// Fills a WideMallinfo from the backend's own statistics: arena = bytes it holds resident,
/// uordblks = bytes handed out, fordblks = the difference, fsmblks = of these in thread caches,
/// keepcost = whole free pages, which malloc_trim would give back. The rest is zero.
void mallinfo2_from(const recording::BackendStatistics& statistics, void* out);

/// malloc_info for an allocator that has none: -1 and ENOSYS.
int refuse_malloc_info(int options, void* file);

/// mallopt for an allocator that has none: 0, nothing was changed. errno stays, as with glibc.
int refuse_mallopt(int parameter, int value);

/// CLOCK_MONOTONIC, for BackendStatistics::time_ns.
uint64_t now_ns();

}  // namespace backends
