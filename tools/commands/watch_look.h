// SPDX-License-Identifier: Apache-2.0
//
// One snapshot of a group near its limit, in a child of the agent: its charge, its big processes
// explained, schema "offheap.watch-snapshot/1". What is cheap and certain is in the store first.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cgroup/charge.h"
#include "commands/watch_jobs.h"
#include "watch/store.h"

namespace offheap {

/// Of each explanation that is kept.
inline constexpr std::size_t kKeptSites = 20;

struct LookTask {
  std::string group;
  std::string boot_id;
  Bytes limit_bytes = 0;
  Bytes usage_bytes = 0;  ///< when the level was passed
  unsigned level_percent = 0;
  std::uint64_t time_ns = 0;            ///< CLOCK_REALTIME
  std::vector<ProcessUse> processes;    ///< largest first, by /proc/PID/status
  std::vector<std::size_t> to_explain;  ///< positions in `processes`
  bool pause = true;                    ///< stop each for the heap's exact figures
  bool heap = true;                     ///< false: too fast a growth to read the heap
};

/// Which of `processes`, largest first, are explained: those with a tenth of the limit for themselves,
/// three at most, and the container's first process. Pure.
std::vector<std::size_t> choose_processes(const std::vector<ProcessUse>& processes, Bytes limit_bytes);

/// Does it. Sends each recording as a message "R<pid> <path>" with its descriptor, and at the end
/// "D<summary>" or "E<what failed>".
void take_watch_snapshot(const LookTask& task, Store& store, const JobAnswer& answer);

}  // namespace offheap
