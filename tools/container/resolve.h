// SPDX-License-Identifier: Apache-2.0
//
// What a user may call a target: a pid, a recording, a container's name or id (or a unique beginning of
// it), or a cgroup's path. Every command that takes a target takes it through here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cgroup/cgroup.h"

namespace offheap {

struct ResolvedTarget {
  int pid = 0;                         ///< the process; 0 for a recording
  std::string recording;               ///< the file; empty for a process
  std::optional<Container> container;  ///< that the process is in
  bool whole_group = false;            ///< a container or a cgroup was named, not one process
  std::vector<int> pids;               ///< of that container or cgroup, ascending; else the pid alone
  std::string choice;                  ///< why this process of several, a sentence; else empty
};

/// Finds what `text` names. A container stands for its first process, or for the one that holds more
/// than half of the container's memory.
///
/// Errors: kUsage when nothing or more than one thing has that name, with what was looked at or the
///         candidates; kUnreadable when the container does not run.
Result<ResolvedTarget> resolve_target(std::string_view text);

/// The same for commands that need a living process: a recording is a kUsage error.
Result<ResolvedTarget> resolve_process(std::string_view text);

}  // namespace offheap
