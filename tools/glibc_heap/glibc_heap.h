// SPDX-License-Identifier: Apache-2.0
//
// Reads a glibc heap from outside, with no help from the process: no symbols, no shim, no restart.
// Start reading here; README.md is the map.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "glibc_heap/heap_report.h"
#include "procfs/mapping.h"
#include "procfs/process_memory.h"
#include "procfs/thread_stacks.h"

namespace offheap {

struct HeapReadOptions {
  /// Stops the target's threads while an arena is copied, never two arenas in one stop. Without it
  /// nothing is stopped and the report is an estimate: exact for an arena that stands still, and by the
  /// linear walk alone for one whose lists were caught in motion.
  bool pause = true;
  /// No stop lasts longer, as far as that is in the reader's hands. An arena that cannot be copied in
  /// that time is copied in several stops: exact when it stood still in between, else an estimate.
  std::uint64_t most_pause_ns = 30'000'000;
  bool scan_mmapped = true;
  std::span<const Range> exclude;        ///< claimed by others: not scanned for mmapped chunks
  std::span<const ThreadStack> threads;  ///< find_thread_stacks(); tells arenas their threads
};

/// The heap of a live process. `found` is false when it has none of glibc's.
///
/// Errors: as Stop::all_threads and Process; a target that exits while it is read is an error that
///         Process::exited() explains.
/// Thread: any; reads only, apart from the stops.
/// Source: glibc 2.17-2.43 malloc/malloc.c, malloc/arena.c.
Result<HeapReport> read_glibc_heap(const Process& process, const MemoryReader& memory,
                                   std::span<const Mapping> mappings, const HeapReadOptions& options);

/// The same over memory that does not change, a captured image for example. Never stops anything;
/// `options.pause` says whether the lists are to be trusted.
HeapReport read_glibc_heap_image(const MemoryReader& memory, std::span<const Mapping> mappings,
                                 const HeapReadOptions& options);

}  // namespace offheap
