// SPDX-License-Identifier: Apache-2.0
//
// A process and its descendants, found in /proc, and what they have resident. The program that measures
// is the reaper of orphans below it (PR_SET_CHILD_SUBREAPER), so that a daemon still counts.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace offheap::ab {

struct ParentOf {
  pid_t parent = 0;
  bool ended = false;  ///< waits to be reaped
};

/// Every process and its parent, from one pass over /proc.
std::map<pid_t, ParentOf> read_parents();

/// The pids below `root`, ascending, without `root`, without what has ended, and without `excluded` and
/// what is below those.
std::vector<pid_t> descendants_of(const std::map<pid_t, ParentOf>& parents, pid_t root,
                                  const std::vector<pid_t>& excluded);

/// Resident bytes, the second number of /proc/PID/statm; 0 for a process that is gone. Newer kernels
/// count per CPU, so that it may be some 100 KiB off; smaps would be exact and a thousand times dearer.
Bytes resident_bytes(pid_t pid);

/// VmHWM of /proc/PID/status: the peak since the last exec, exact. 0 when the process is gone.
Bytes peak_resident_bytes(pid_t pid);

/// Sends `signal` to every descendant of this process.
void signal_descendants(int signal);

/// Ends every descendant of this process and reaps it; returns how many there were.
std::size_t end_descendants();

}  // namespace offheap::ab
