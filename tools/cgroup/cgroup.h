// SPDX-License-Identifier: Apache-2.0
//
// The target's memory cgroup, v1 or v2: limit, charge, kills, memory.stat, and the container that its
// path names. Pure parsers first; read_cgroup() at the end is the only one that opens files.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/units.h"

namespace offheap {

struct Container {
  std::string id;       ///< 64 hex digits, or what the path has
  std::string runtime;  ///< "docker", "containerd", "crio", "podman", "kubernetes", "unknown"
  // Only where Docker's daemon answers; a name may also be the container's hostname.
  std::string name;
  std::string image;
  std::optional<std::uint64_t> restart_count;
  std::optional<bool> oom_killed;  ///< of the last run that ended
};

/// Where the memory controller of a process is, from /proc/PID/cgroup.
struct CgroupPath {
  int version = 0;   ///< 1 or 2
  std::string path;  ///< below the controller's mount, "/" for the root
};

struct CgroupMount {
  std::string root;   ///< the group that is mounted: "/" unless inside a container
  std::string point;  ///< where
};

struct Cgroup {
  int version = 0;
  std::string path;
  std::optional<Container> container;
  std::optional<Bytes>
      limit_bytes;  ///< the lowest of the group's own and its ancestors'; none = no limit
  Bytes usage_bytes = 0;
  Bytes peak_usage_bytes = 0;  ///< 0 where the kernel does not say
  std::uint64_t failcnt = 0;   ///< v1 memory.failcnt; v2 memory.events max
  std::uint64_t oom_kills = 0;
  std::optional<Bytes> swap_limit_bytes;
  Bytes swap_usage_bytes = 0;
  Bytes kernel_bytes = 0;                     ///< v1 memory.kmem.usage_in_bytes, v2 memory.stat kernel
  std::map<std::string, std::uint64_t> stat;  ///< memory.stat by its own key names
  std::string directory;                      ///< where its files were read

  [[nodiscard]] Bytes stat_of(const std::string& key) const;
  [[nodiscard]] Bytes anon_bytes() const;
  [[nodiscard]] Bytes file_bytes() const;  ///< without shmem and the swap cache
  [[nodiscard]] Bytes shmem_bytes() const;
};

/// The memory controller's line of a /proc/PID/cgroup text: v1 when one names "memory", else v2's.
std::optional<CgroupPath> parse_proc_cgroup(std::string_view text);

/// The mount of the memory controller of that version in a mountinfo text.
std::optional<CgroupMount> parse_cgroup_mount(std::string_view mountinfo, int version);

/// The container that a cgroup path names; the innermost when several nest.
std::optional<Container> container_of_path(std::string_view path);

/// The path of that container's own group: what lies below it (init.scope, "container") is cut off.
/// The path as it is when it names no container.
std::string_view container_group(std::string_view path);

/// The container whose runtime mounted its own /etc/hostname: named where the cgroup path is "/",
/// because the reader is in the same cgroup namespace.
std::optional<Container> container_of_mounts(std::string_view mountinfo);

/// `path` below what a mount of its hierarchy shows; nothing when it lies outside.
std::optional<std::string> path_below_mount(const CgroupMount& mount, std::string_view path);

/// The path in /proc/PID/cgroup's form of a directory below any cgroup mount of `mountinfo`.
std::optional<std::string> group_of_directory(std::string_view mountinfo, std::string_view directory);

/// "key value" lines, as memory.stat, memory.events and memory.oom_control have them. Lines that are
/// not of that form are skipped.
std::map<std::string, std::uint64_t> parse_flat_keyed(std::string_view text);

/// One number, or "max". No limit: "max", or v1's page-rounded LONG_MAX.
std::optional<Bytes> parse_limit(std::string_view text);

/// Reads the memory cgroup of `pid`.
///
/// Errors: kUnreadable when the process is gone or no memory controller is mounted here.
/// Source: kernel Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst.
Result<Cgroup> read_cgroup(int pid);

/// The path of the memory cgroup of `pid`, a container's cut to its own group; empty when unreadable.
std::string read_group_path(int pid);

}  // namespace offheap
