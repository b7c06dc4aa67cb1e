// SPDX-License-Identifier: Apache-2.0
//
// Answers for glibc's malloc_* family that allocators which are not glibc have in common.
#pragma once

#include <stddef.h>
#include <stdio.h>

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

/// malloc_info for an allocator that has none: what mallinfo2 says of its heap, in the form of glibc's
/// XML, where nobody counts blocks. 0.
int malloc_info_from(const WideMallinfo& info, FILE* out);

/// CLOCK_MONOTONIC, for BackendStatistics::time_ns.
uint64_t now_ns();

}  // namespace backends
