// SPDX-License-Identifier: Apache-2.0
//
// Where the stacks of a glibc process are: those of living threads, and those of dead ones that glibc
// keeps for the next pthread_create. Shapes of mappings are no guide (from glibc 2.42 on stacks merge
// into one mapping without guard pages), so the threads' own descriptors are read: struct pthread of
// glibc nptl/descr.h, found from one thread's stack pointer and followed through glibc's own lists.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "procfs/mapping.h"
#include "procfs/memory_reader.h"
#include "procfs/process.h"

namespace offheap {

struct ThreadStack {
  std::uint32_t tid = 0;       ///< 0 = a dead thread's stack that glibc keeps
  Range range;                 ///< guard and thread descriptor included
  Address thread_pointer = 0;  ///< its struct pthread; static TLS lies below. 0 = not known
  Bytes rss_bytes = 0;         ///< resident pages of `range`
};

/// Stacks in address order. Threads whose stack cannot be found (not glibc, a user's own stack that has
/// no thread in a list) are absent.
///
/// Errors: only those of listing the threads; unreadable memory means fewer stacks.
/// Thread: any. `may_stop`: where no thread but running ones can be asked, one of them may be stopped
/// for
///         some microseconds. A stack that comes or goes meanwhile may be absent or stale.
/// Source: glibc 2.31-2.43 nptl/descr.h, nptl/allocatestack.c, sysdeps/generic/ldsodefs.h
/// (_dl_stack_used).
Result<std::vector<ThreadStack>> find_thread_stacks(const Process& process, const MemoryReader& memory,
                                                    std::span<const Mapping> mappings,
                                                    bool may_stop = true);

}  // namespace offheap
