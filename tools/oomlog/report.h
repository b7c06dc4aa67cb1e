// SPDX-License-Identifier: Apache-2.0
//
// What a log says of one shortage of memory: the report that the kernel printed, and who died of it.
// Names are the log's own; whatever the log does not say is absent, never zero.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace offheap {

/// When a line was printed.
struct LogTime {
  std::string wall;   ///< as written
  std::string clock;  ///< the kernel's clock as written
  std::optional<std::int64_t> clock_us;
};

/// Which line named the victim, from the surest to the least.
enum class VictimSource { kKilled, kEvent, kReaper, kSelected, kLimit };

struct OomVictim {
  std::optional<std::int64_t> pid;
  std::string name;
  std::optional<std::int64_t> uid, total_vm_kb, anon_rss_kb, file_rss_kb, shmem_rss_kb, pgtables_kb;
  std::optional<std::int64_t> adj;
  std::optional<std::int64_t> score;         ///< of 1000, "Kill process N (C) score S"
  std::optional<std::int64_t> selected_pid;  ///< when the kernel selected another task than it killed
  std::optional<bool> reaped;
  VictimSource source = VictimSource::kKilled;
  int lines = 0;  ///< how often its kill was printed
  LogTime time;
};

struct OomTask {
  std::int64_t pid = 0;  ///< may be a thread's
  std::int64_t tgid = 0;
  std::int64_t uid = 0;
  std::int64_t total_vm_pages = 0;
  std::int64_t rss_pages = 0;
  std::optional<std::int64_t> rss_shmem_pages, swap_pages, pgtables_bytes, adj;
  std::string name;
};

struct OomUsage {
  std::int64_t usage_kb = 0;
  std::int64_t limit_kb = 0;
  std::int64_t failcnt = 0;
};

/// A limit that stands for none: memory.max and its predecessors print 2^53 KiB or more, less a page.
inline bool is_no_limit(std::int64_t limit_kb) { return limit_kb >= std::int64_t{1} << 52; }

/// The whole machine's figures, where the report has them.
struct HostFigures {
  std::map<std::string, std::int64_t> pages;  ///< "active_anon", "shmem", "slab_unreclaimable", "free"
  std::optional<std::int64_t> swap_free_kb, swap_total_kb, ram_pages;
  std::int64_t zone_free_kb = 0;
  std::int64_t zone_min_kb = 0;
};

struct OomReport {
  std::string invoker;
  std::optional<std::int64_t> invoker_pid;
  std::string invoker_cpuset;  ///< last part of its path
  std::string kernel;
  std::string gfp;
  std::string nodemask;
  std::optional<std::int64_t> order;
  std::string constraint;          ///< the kernel's word without CONSTRAINT_; empty = not said
  std::optional<bool> memcg_kill;  ///< a cgroup's limit, or the whole machine
  std::string oom_memcg;
  std::string task_memcg;
  std::optional<OomUsage> memory, memory_swap, kernel_memory, swap;
  std::map<std::string, std::int64_t> stat;  ///< memory.stat of the limit's cgroup, bytes
  HostFigures host;
  std::vector<OomTask> biggest;  ///< largest resident tasks of the table, at most kBiggest
  std::int64_t task_count = 0;
  std::int64_t rss_pages_sum = 0, rss_shmem_pages_sum = 0, swap_pages_sum = 0, pgtables_bytes_sum = 0;
  std::int64_t same_name_rss_pages = 0;  ///< of the largest task's name
  std::int64_t same_name_count = 0;
  std::optional<std::int64_t> page_kb;  ///< proven by the report's own figures
  bool has_header = false;
  bool group = false;  ///< memory.oom.group: the whole cgroup died
  bool no_killable = false;
  bool through_files = false;  ///< the invoker's stack goes through the page cache
  bool through_shmem = false;  ///< ... through tmpfs or shared memory
  bool through_fork = false;
  std::string panic;  ///< reason
  std::string panic_comm;
  std::optional<std::int64_t> panic_pid;
  bool panic_memcg = false;
  std::vector<OomVictim> victims;
  std::optional<std::int64_t> selected_only_pid;  ///< selected, and then the log ends
  LogTime time;                                   ///< of its first line

  static constexpr std::size_t kBiggest = 10;
};

/// What else the log said, and what it lost.
struct OomNotes {
  std::int64_t suppressed = 0;      ///< reports that the kernel's rate limit swallowed
  std::int64_t printk_dropped = 0;  ///< messages that the kernel's buffer lost
  std::int64_t overwritten = 0;     ///< records that /dev/kmsg overwrote before they were read
  std::int64_t no_killable = 0;
  std::int64_t fork_rejected = 0;
  bool soft_lockup = false;
  std::string other_panic;  ///< a panic that has nothing to do with memory
  std::vector<std::int64_t> unable_to_reap;
  std::map<std::int64_t, char> states;           ///< of those that could not be reaped
  std::vector<std::int64_t> alive_at_lock_dump;  ///< victims that still held locks
  std::vector<std::int64_t> selected_without_kill;
  std::string kernel;  ///< first version seen
  std::optional<std::int64_t> page_kb;

  static constexpr std::size_t kListed = 1000;  ///< of each list of pids, at most
};

}  // namespace offheap
