// SPDX-License-Identifier: Apache-2.0
//
// What one look at a host has found: plain data, filled by read_host() and judged, grouped and written
// by pure functions. Texts and tables live in the look's arena.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "host/fixed.h"

namespace offheap::host {

inline constexpr std::uint32_t kNoGroup = 0xffffffff;

/// Shares of the last 10 s in which some or all tasks stood still for want of something, in percent.
struct Pressure {
  double some = 0;
  double full = 0;
};

/// The host as a whole. Nothing = the file is not there or may not be read.
struct HostFacts {
  std::string name;
  std::string kernel;
  double uptime_s = 0;
  std::array<double, 3> load{};
  std::uint64_t runnable = 0;
  std::uint64_t threads = 0;
  std::uint64_t threads_before = 0;  ///< at the first look
  std::uint64_t cpus = 0;
  std::optional<Pressure> memory_pressure;
  std::optional<Pressure> io_pressure;
  std::optional<Pressure> cpu_pressure;
  Bytes memory_total_bytes = 0;
  Bytes memory_available_bytes = 0;
  Bytes swap_total_bytes = 0;
  Bytes swap_free_bytes = 0;
  Bytes committed_bytes = 0;
  Bytes commit_limit_bytes = 0;
  Bytes kernel_stack_bytes = 0;
  Bytes shmem_bytes = 0;
  std::optional<std::uint64_t> oom_kills;         ///< since boot, of memory cgroups too
  std::optional<std::uint64_t> oom_kills_before;  ///< at the first look
  std::uint64_t pid_max = 0;
  std::uint64_t threads_max = 0;
  std::uint64_t overcommit = 0;
  std::uint64_t panic_on_oom = 0;
  std::optional<std::uint64_t> process_limit;  ///< RLIMIT_NPROC of this process; nothing = none
  std::uint64_t user_threads = 0;              ///< of this process's user
};

/// One memory cgroup. Numbers that the kernel does not give are nothing.
struct GroupRow {
  std::string_view path;
  std::uint32_t parent = kNoGroup;
  std::string_view container_id;
  std::string_view runtime;
  std::string_view name;   ///< of the container; else empty
  std::string_view state;  ///< the runtime's word: "running", "restarting"
  std::string_view restart_policy;
  ShortText<40> pod_uid;
  std::optional<std::uint64_t> restarts;
  std::optional<std::int64_t> exit_code;
  std::optional<Bytes> limit_bytes;  ///< its own
  std::optional<Bytes> usage_bytes;
  std::optional<Bytes> swap_limit_bytes;
  std::optional<Bytes> swap_usage_bytes;
  bool swap_counts_memory = false;  ///< v1: the two above are of memory and swap together
  std::optional<Bytes> kernel_limit_bytes;
  std::optional<Bytes> kernel_usage_bytes;
  std::optional<std::uint64_t> failcnt;  ///< v1 failcnt, v2 memory.events max
  std::optional<std::uint64_t> swap_failcnt;
  std::optional<std::uint64_t> oom_kills;
  std::optional<std::uint64_t> oom_kills_before;
  std::optional<std::uint64_t> pids;
  std::optional<std::uint64_t> pids_limit;
  std::optional<std::uint64_t> forks_refused;  ///< pids.events max
  bool under_oom = false;
  bool oom_kill_disabled = false;
  bool inner = false;        ///< below a container's own group
  bool parts_known = false;  ///< memory.stat was read
  Bytes anon_bytes = 0;
  Bytes shmem_bytes = 0;
  Bytes file_bytes = 0;
  Bytes kernel_bytes = 0;
  std::uint32_t processes = 0;
  std::uint32_t threads = 0;
  std::uint32_t threads_before = 0;  ///< of the processes that both looks saw
  std::uint32_t d_threads = 0;
  std::uint32_t zombies = 0;

  /// Usage over limit, of memory or of memory and swap; 0 without a limit.
  [[nodiscard]] double closeness() const;
  /// What puts a group above others on the screen.
  [[nodiscard]] double weight() const;
};

/// One process, from its stat file alone.
struct TaskRow {
  int pid = 0;
  int parent_pid = 0;
  std::uint32_t threads = 0;
  std::uint32_t threads_before = 0;  ///< 0: not seen at the first look
  std::uint32_t group = kNoGroup;
  std::uint32_t d_threads = 0;
  std::uint64_t start_ticks = 0;
  Bytes rss_bytes = 0;
  char state = '?';
  ShortText<15> name;

  [[nodiscard]] std::uint64_t weight() const {
    const bool stuck = state == 'D' || state == 'Z';
    return (stuck ? std::uint64_t{1} << 62 : 0) + threads * (std::uint64_t{1} << 20) +
           (rss_bytes >> 12);
  }
};

/// One thread in uninterruptible sleep.
struct StuckRow {
  int pid = 0;
  int tid = 0;
  std::uint32_t group = kNoGroup;
  ShortText<15> name;
  ShortText<48> wait_channel;  ///< empty: not read, or not readable
  ShortText<120> stack;        ///< innermost kernel functions, " < " between them
  std::optional<Bytes> rss_bytes;
  std::optional<Bytes> swap_bytes;
};

/// A kill that the kernel log tells of.
struct KillRow {
  double time_s = 0;  ///< since boot
  int pid = 0;
  std::uint32_t group = kNoGroup;  ///< the victim's; none: it is gone, or the log does not say
  ShortText<15> name;
  ShortText<200> group_path;  ///< the victim's cgroup
  ShortText<200> limit_path;  ///< whose limit; empty: the host's memory
  Bytes anon_bytes = 0;
  Bytes file_bytes = 0;
  Bytes shmem_bytes = 0;
  bool undead = false;  ///< still there

  [[nodiscard]] double weight() const { return time_s; }  ///< the latest are kept
};

struct PhaseTime {
  std::string_view name;
  std::uint64_t ns = 0;
};

/// Counts over all tasks, rows that were dropped included.
struct TaskTotals {
  std::uint64_t processes = 0;
  std::uint64_t threads = 0;
  std::uint64_t zombies = 0;
  std::uint64_t d_threads = 0;  ///< leaders, and threads of the processes that were looked into
  std::uint64_t running = 0;
  std::uint64_t looked_into = 0;  ///< processes whose every thread was read
};

struct HostLook {
  HostFacts host;
  int cgroup_version = 0;  ///< 0: none found
  Table<GroupRow> groups;
  Table<TaskRow> tasks;  ///< by pid
  Table<StuckRow> stuck;
  Table<KillRow> kills;               ///< oldest first
  std::uint64_t vanished_groups = 0;  ///< that went while they were looked at
  TaskTotals totals;
  std::optional<std::uint64_t> log_kills;  ///< in the kernel log; nothing: not readable
  std::uint64_t between_looks_ns = 0;
  std::uint64_t taken_ns = 0;
  std::int64_t taken_unix_s = 0;
  std::vector<PhaseTime> phases;
  std::vector<std::string> notes;  ///< what could not be read, and what this program did to itself

  [[nodiscard]] const TaskRow* task(int pid) const;
  [[nodiscard]] TaskRow* task(int pid) {
    return const_cast<TaskRow*>(static_cast<const HostLook*>(this)->task(pid));
  }
};

/// What a group is called: the container's name, its short id, or the path.
std::string group_label(const HostLook& look, std::uint32_t group);

/// What a cgroup's path is called where there is no row for it: the container's short id, or the path.
std::string path_label(std::string_view path);

/// The row of a cgroup, or kNoGroup.
std::uint32_t find_group(const HostLook& look, std::string_view path);

}  // namespace offheap::host
