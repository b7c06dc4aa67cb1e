// SPDX-License-Identifier: Apache-2.0
//
// Reads what charge.h is about: the processes of a cgroup, what they have resident, which tmpfs files
// and descriptors they hold.
#pragma once

#include <vector>

#include "cgroup/charge.h"

namespace offheap {

/// One process of a group by its own figures; nothing when it is gone or is a kernel thread.
/// `exact`: with smaps_rollup, which takes the target's memory map lock for a moment.
std::optional<ProcessUse> read_process_use(int pid, bool exact);

/// The processes below a cgroup path, ascending by pid; bounded to kMostProcesses.
std::vector<int> pids_of_group(const std::string& path);
inline constexpr std::size_t kMostProcesses = 4096;

/// The group of `pid`. `cgroup` is read anew, at one time with its processes.
///
/// Errors: never fails; what cannot be read is missing.
GroupMemory read_group_memory(int pid, Cgroup& cgroup);

/// Every tmpfs with at least 64 KiB in use that the process sees, with its three largest files.
std::vector<TmpfsUse> read_tmpfs(int pid);

}  // namespace offheap
