// SPDX-License-Identifier: Apache-2.0
//
// One look at a living process: everything that is read from it at one time, before any conclusion.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cgroup/cgroup.h"
#include "cgroup/charge.h"
#include "glibc_heap/heap_report.h"
#include "hotspot/hotspot_report.h"
#include "ledger/ledger.h"
#include "procfs/process.h"
#include "procfs/process_memory.h"
#include "procfs/thread_stacks.h"
#include "recording/snapshot.h"

namespace offheap {

/// How long one stop of a target may last unless somebody asks for longer.
inline constexpr std::uint64_t kMostPause_ns = 30'000'000;

struct LookOptions {
  bool pause = true;
  bool heap = true;  ///< false: leave the heap alone, counters and mappings only
  std::uint64_t most_pause_ns = kMostPause_ns;
};

struct Look {
  std::uint64_t time_ns = 0;  ///< CLOCK_MONOTONIC
  std::vector<Mapping> mappings;
  Ledger ledger;
  std::optional<HeapReport> heap;
  bool heap_unread =
      false;  ///< it was left alone or could not be read: nobody knows whether there is one
  std::optional<HotspotReport> jvm;
  std::vector<ThreadStack> stacks;
  std::vector<ThreadName> threads;
  std::map<std::uint32_t, std::uint32_t> inner_tids;  ///< as the target's own pid namespace has them
  std::optional<Snapshot> snapshot;
  bool recording_unreadable = false;  ///< there is one, and it was not read
  std::optional<Cgroup> cgroup;
  std::optional<GroupMemory> group;  ///< of a last look only: it reads other processes too
  std::array<Bytes, kOwnerCount> huge_zero_bytes{};
  std::vector<std::string> notes;
};

/// Reads `process` once.
///
/// Errors: kUnreadable when its mappings or memory cannot be read, or it exits meanwhile; a part that
///         cannot be read for another reason is left out and noted.
Result<Look> take_look(const Process& process, const LookOptions& options);

/// Who maps at a site of mmaps: a JVM's or another allocator's own mmap is not the program's.
Owner owner_of_mapping_site(const Snapshot& snapshot, std::uint32_t site);

std::uint64_t monotonic_ns();

/// Bytes of transparent huge pages whose 4 KiB parts are all zero, by owner: estimated from an even
/// sample of fully resident 2 MiB units. Java heap is left out: it is zeroed ahead of use.
std::array<Bytes, kOwnerCount> measure_huge_zeros(const std::vector<Mapping>& mappings,
                                                  const Ledger& ledger, const MemoryReader& memory);

}  // namespace offheap
