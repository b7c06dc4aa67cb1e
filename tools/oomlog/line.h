// SPDX-License-Identifier: Apache-2.0
//
// What one line of the kernel's text says about running out of memory. Lines are told apart by their
// shape, never by the kernel's version: distributions carry later shapes back into older kernels. Task
// names hold blanks, commas, brackets and colons, so that fields are anchored from the right.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

namespace offheap {

/// "C invoked oom-killer: gfp_mask=..., order=0, oom_score_adj=0"
struct HeaderLine {
  std::string_view comm;
  std::string_view gfp;
  std::string_view nodemask;
  std::optional<std::int64_t> order;
};

/// "C cpuset=NAME mems_allowed=0": the invoker's.
struct CpusetLine {
  std::string_view comm;
  std::string_view cpuset;
};

/// "CPU: 0 PID: 12 Comm: C Not tainted 6.1.0 #1", or RHEL6's "Pid: 12, comm: C Not tainted ..."
struct CpuLine {
  std::optional<std::int64_t> pid;
  std::string_view comm;
  std::string_view kernel;
};

/// "Task in A killed as a result of limit of B"
struct LimitLine {
  std::string_view task_memcg;
  std::string_view oom_memcg;
};

enum class Counter { kMemory, kMemorySwap, kKernel, kSwap };

/// "memory: usage 1kB, limit 2kB, failcnt 3"
struct UsageLine {
  Counter counter = Counter::kMemory;
  std::int64_t usage_kb = 0;
  std::int64_t limit_kb = 0;
  std::int64_t failcnt = 0;
};

/// "Memory cgroup stats for P:", with the values on the same line up to 5.2.
struct StatsHeadLine {
  std::string_view path;
  std::string_view values;  ///< "cache:0KB rss:12KB ..."
};

/// "anon 4096", a line of memory.stat.
struct StatLine {
  std::string_view key;
  std::int64_t value = 0;
};

/// "active_anon:1 inactive_anon:2 ...": pages of the whole machine.
struct PagesLine {
  std::string_view values;
};

enum class HostFigure { kSwapFreeKb, kSwapTotalKb, kRamPages, kReservedPages };

/// "Free swap  = 12kB", "2047866 pages RAM"
struct HostLine {
  HostFigure figure = HostFigure::kSwapFreeKb;
  std::int64_t value = 0;
};

/// "Node 0 Normal free:1kB ... min:2kB"
struct ZoneLine {
  std::int64_t free_kb = 0;
  std::int64_t min_kb = 0;
};

/// Which column of a task table holds what; -1 = the table has no such column. Positions count from
/// uid, which is 0.
struct TableHeadLine {
  int count = 0;  ///< columns between pid and name
  int swap = -1;
  int pgtables = -1;
  int rss_shmem = -1;
};

struct TaskRowLine {
  std::int64_t pid = 0;  ///< may be a thread's
  std::int64_t tgid = 0;
  std::int64_t uid = 0;
  std::int64_t total_vm_pages = 0;
  std::int64_t rss_pages = 0;
  std::optional<std::int64_t> rss_shmem_pages;
  std::optional<std::int64_t> swap_pages;
  std::optional<std::int64_t> pgtables_bytes;
  std::optional<std::int64_t> adj;
  std::string_view name;
};

/// "oom-kill:constraint=X,...,task=T,pid=P,uid=U"
struct EventLine {
  std::string_view constraint;  ///< without CONSTRAINT_
  std::string_view nodemask;
  std::string_view cpuset;
  std::string_view oom_memcg;
  std::string_view task_memcg;
  std::string_view task;
  std::optional<std::int64_t> pid;  ///< none: the line was cut, and its paths may be too
  std::optional<std::int64_t> uid;
};

/// "Kill process 12 (C) score 900 or sacrifice child": selected; its child may be the one that dies.
struct SelectedLine {
  std::optional<bool> memcg;
  std::int64_t pid = 0;
  std::string_view name;
  std::optional<std::int64_t> score;
  bool cut = false;
};

/// "Killed process 12 (C) total-vm:1kB, anon-rss:2kB, ..."
struct KilledLine {
  std::optional<bool> memcg;  ///< none: the line does not say
  std::int64_t pid = 0;
  std::string_view name;
  std::optional<std::int64_t> uid, total_vm_kb, anon_rss_kb, file_rss_kb, shmem_rss_kb, pgtables_kb,
      adj;
};

/// "Tasks in P are going to be killed due to memory.oom.group set"
struct GroupLine {
  std::string_view path;
};

/// "oom_reaper: reaped process 12 (C), ..." or "oom_reaper: unable to reap pid:12 (C)"
struct ReaperLine {
  std::int64_t pid = 0;
  std::string_view name;
  bool reaped = false;
};

enum class Remark {
  kTasksState,      ///< "Tasks state (memory values in pages):"
  kMemInfo,         ///< "Mem-Info:"
  kNoKillable,      ///< "Out of memory and no killable processes..."
  kAlreadyExiting,  ///< "OOM victim 12 (C) is already exiting. Skip killing the task"
  kSoftLockup,
  kForkRejected,  ///< "cgroup: fork rejected by pids controller in P"
};

struct RemarkLine {
  Remark remark = Remark::kTasksState;
};

/// "Kernel panic - not syncing: REASON"
struct PanicLine {
  std::string_view reason;
};

/// "oom_kill_process: 132 callbacks suppressed"
struct SuppressedLine {
  std::int64_t count = 0;
};

/// "name D13056 12 1 0x0" after "unable to reap"
struct TaskStateLine {
  std::int64_t pid = 0;
  char state = '?';
};

/// "1 lock held by atd/636:"
struct LockLine {
  std::int64_t pid = 0;
};

/// "  filemap_fault+0x10e/0x1650"
struct StackLine {
  std::string_view function;
};

using Line = std::variant<std::monostate, HeaderLine, CpusetLine, CpuLine, LimitLine, UsageLine,
                          StatsHeadLine, StatLine, PagesLine, HostLine, ZoneLine, TableHeadLine,
                          TaskRowLine, EventLine, SelectedLine, KilledLine, GroupLine, ReaperLine,
                          RemarkLine, PanicLine, SuppressedLine, TaskStateLine, LockLine, StackLine>;

/// What `text`, the kernel's own part of a line, says; monostate when nothing that matters here.
///
/// Shape:  views are parts of `text`. `columns` is the table's head if one was read.
/// Units:  as the kernel prints them; the members' names say which.
/// Errors: never fails; a field that is cut or damaged is absent.
/// Source: mm/oom_kill.c, mm/memcontrol.c, lib/dump_stack.c of Linux 2.4 to 6.18.
Line classify(std::string_view text, const std::optional<TableHeadLine>& columns);

/// Whether `text` begins with words that only the kernel's report begins with.
bool starts_kernel_text(std::string_view text);

/// Where in a line with a frame of no known form the kernel's own words begin; npos when there are
/// none, or when the line is another program's that repeats them.
std::size_t find_kernel_text(std::string_view line);

/// Whether a mail or a terminal may have broken `text` off before its end.
bool may_continue(std::string_view text);

/// Whether `piece` looks like what was broken off `text`.
bool continues_text(std::string_view text, std::string_view piece);

/// Whether the break between the two was in a word, so that no blank stood there.
bool broken_in_word(std::string_view text, std::string_view piece);

}  // namespace offheap
