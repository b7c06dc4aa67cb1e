// SPDX-License-Identifier: Apache-2.0
//
// The memory cgroups that have a limit, and what the kernel says about them unasked: thresholds of
// usage and OOM by eventfd (v1), memory.events by inotify and memory.pressure by a trigger (v2). Where
// any of it cannot be had, polling is left, and is enough.
// Source: kernel Documentation/admin-guide/cgroup-v1/memory.rst section 9 and 10, cgroup-v2.rst,
// accounting/psi.rst.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "procfs/text_file.h"
#include "watch/threshold.h"

namespace offheap {

/// The memory controller's hierarchy as it is mounted here.
struct MemoryHierarchy {
  int version = 0;
  std::string mount;  ///< directory
  std::string root;   ///< the group that the directory is, "/" on a host
};

/// Errors: kUnreadable when no memory controller is mounted.
Result<MemoryHierarchy> find_memory_hierarchy();

struct FoundGroup {
  std::string path;  ///< as /proc/PID/cgroup and the kernel's log have it
  std::string directory;
  Bytes limit_bytes = 0;
  std::uint64_t inode = 0;  ///< of the directory: another group of the same path has another
};

struct GroupTree {
  std::vector<FoundGroup> limited;
  std::vector<std::string> parents;  ///< directories in which groups may appear: the limited ones apart
};

/// Every group with a limit of its own at or below `below`, a path under the mount ("" = all). Groups
/// that vanish meanwhile are left out.
GroupTree read_group_tree(const MemoryHierarchy& hierarchy, const std::string& below = {});

/// The open files of one group.
class GroupFiles {
 public:
  /// Never fails: a file that cannot be opened is not valid, and `missing` says which.
  static GroupFiles open(const MemoryHierarchy& hierarchy, const FoundGroup& group);

  /// Asks for an event at each of `levels` of the limit; v1 only. False: poll instead.
  bool ask_for_thresholds(const Levels& levels, Bytes limit_bytes);

  [[nodiscard]] std::optional<Bytes> usage() const;
  [[nodiscard]] std::optional<std::uint64_t> kills() const;
  [[nodiscard]] std::vector<int> pids() const;  ///< of the group and all below it

  [[nodiscard]] int threshold_event() const { return thresholds_.get(); }  ///< eventfd, or -1
  [[nodiscard]] int oom_event() const { return oom_.get(); }               ///< eventfd, or -1
  [[nodiscard]] int pressure() const { return pressure_.get(); }           ///< POLLPRI, or -1

 private:
  bool ask_v1(const Descriptor& file, int event, const std::string& argument) const;

  int version_ = 0;
  std::string directory_;
  Descriptor usage_;
  Descriptor events_;  ///< memory.oom_control or memory.events
  Descriptor thresholds_;
  Descriptor oom_;
  Descriptor pressure_;
};

}  // namespace offheap
