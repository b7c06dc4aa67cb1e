// SPDX-License-Identifier: Apache-2.0
//
// What a process's heap came to at the end of a run of `offheap ab`.
#pragma once

#include <sys/types.h>

#include "ab/run_one.h"

namespace offheap {

/// end_rss_bytes, and where the heap can be read live_bytes (usable bytes handed out),
/// free_resident_bytes (resident, but cached, trimmable, pinned or top) and fragmentation_ratio (what
/// of malloc's memory is live or free and resident, over what is live and resident: 1 = nothing lost).
/// `standing`: it stands at its exit, held by us, and is not stopped again.
///
/// Errors: never fails; what could not be read is absent, and a note says why.
ab::EndLook look_at_end(pid_t pid, bool standing);

/// The backend as a recording names it ("jemalloc 5.3.0"), or empty without one.
std::string backend_of(pid_t pid);

}  // namespace offheap
