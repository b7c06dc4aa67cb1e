// SPDX-License-Identifier: Apache-2.0
//
// One pass over all processes by their stat files, a second short one for growth, and a closer look at
// the threads of those that look stuck. Never a file that waits for a process's mmap_lock.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "host/parse.h"
#include "host/read.h"

namespace offheap::host {
namespace {

constexpr std::uint32_t kBigThreads = 64;       ///< a process whose group and growth are wanted
constexpr std::size_t kMostAgain = 512;         ///< processes read again at the second look
constexpr std::size_t kMostThreadsRead = 4096;  ///< thread stat files, in all
constexpr std::size_t kMostThreadsEach = 512;
constexpr std::size_t kMostDetails = 50;
constexpr std::size_t kDetailsEach = 10;  ///< of one group, so that each group has some
constexpr double kNearLimit = 0.98;

using Path = std::array<char, 64>;

/// "PID/name", or "PID/task/TID/name".
Path file_of(int pid, const char* name, int tid = 0) {
  Path path{};
  if (tid == 0)
    std::snprintf(path.data(), path.size(), "%d/%s", pid, name);
  else
    std::snprintf(path.data(), path.size(), "%d/task/%d/%s", pid, tid, name);
  return path;
}

/// The only way to a file of a process.
std::optional<std::string_view> read_of(Reading& reading, int proc, int pid, const char* name,
                                        int tid = 0) {
  if (!may_be_read(name)) return {};
  return reading.files.read(proc, file_of(pid, name, tid).data());
}

int pid_of(const char* name) {
  int pid = 0;
  const std::string_view text(name);
  const auto parsed = std::from_chars(name, name + text.size(), pid);
  return parsed.ec == std::errc{} && parsed.ptr == name + text.size() && pid > 0 ? pid : 0;
}

int open_proc(Reading& reading) {
  return reading.files.open_directory(AT_FDCWD, reading.options.paths.proc.c_str());
}

Bytes page_bytes() { return static_cast<Bytes>(::sysconf(_SC_PAGESIZE)); }

void count(TaskTotals& totals, const TaskRow& row) {
  ++totals.processes;
  totals.threads += row.threads;
  if (row.state == 'Z') ++totals.zombies;
  if (row.state == 'D') ++totals.d_threads;
  if (row.state == 'R') ++totals.running;
}

void sort_by_pid(Table<TaskRow>& tasks) {
  std::sort(tasks.rows().begin(), tasks.rows().end(),
            [](const TaskRow& a, const TaskRow& b) { return a.pid < b.pid; });
}

/// The rows of most threads, most first.
std::span<TaskRow*> biggest(Reading& reading, std::size_t most) {
  auto rows = reading.look.tasks.rows();
  const auto order = reading.arena.array<TaskRow*>(std::min(most, rows.size()));
  std::size_t count = 0;
  const auto fewer = [](const TaskRow* a, const TaskRow* b) { return a->threads > b->threads; };
  for (TaskRow& row : rows) {
    if (count < order.size()) {
      order[count++] = &row;
      std::push_heap(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), fewer);
    } else if (count > 0 && row.threads > order.front()->threads) {
      std::pop_heap(order.begin(), order.end(), fewer);
      order.back() = &row;
      std::push_heap(order.begin(), order.end(), fewer);
    }
  }
  std::sort_heap(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), fewer);
  return order.first(count);
}

/// A cgroup's figures are its own and those of all below it, as its charge is.
void take_in(HostLook& look, const TaskRow& row) {
  for (std::uint32_t group = row.group; group != kNoGroup; group = look.groups[group].parent) {
    GroupRow& into = look.groups[group];
    ++into.processes;
    into.threads += row.threads;
    into.threads_before += row.threads_before;
    into.d_threads += row.d_threads;
    if (row.state == 'Z') ++into.zombies;
  }
}

bool is_suspicious(const HostLook& look, const TaskRow& row) {
  if (row.state == 'D' || (row.state == 'Z' && row.threads > 1)) return true;
  if (row.threads < 2) return false;
  if (row.group == kNoGroup) return false;
  const GroupRow& group = look.groups[row.group];
  return group.under_oom || group.closeness() >= kNearLimit;
}

void add_stuck(HostLook& look, const TaskRow& process, const TaskRow& thread) {
  StuckRow row;
  row.pid = process.pid;
  row.tid = thread.pid;
  row.group = process.group;
  row.name = thread.name;
  look.stuck.push(row);
}

/// Threads in D of one process; returns how many stat files that took.
std::size_t read_threads_of(Reading& reading, int proc, TaskRow& process) {
  Path path{};
  std::snprintf(path.data(), path.size(), "%d/task", process.pid);
  const int task = reading.files.open_directory(proc, path.data());
  if (task < 0) return 0;
  std::size_t seen = 0;
  const bool counted = process.state == 'D';  // the leader, at the first pass
  std::uint32_t stuck = 0;
  reading.files.each_entry(task, [&](const char* name, bool) {
    const int tid = pid_of(name);
    if (tid == 0) return true;
    if (++seen > kMostThreadsEach) return false;
    const auto text = read_of(reading, proc, process.pid, "stat", tid);
    const auto thread = text ? parse_stat(*text, 1) : std::nullopt;
    if (!thread || thread->state != 'D') return true;
    ++stuck;
    add_stuck(reading.look, process, *thread);
    return true;
  });
  ::close(task);
  reading.look.totals.d_threads += stuck - std::min<std::uint32_t>(stuck, counted ? 1 : 0);
  process.d_threads = std::max(process.d_threads, stuck);
  ++reading.look.totals.looked_into;
  return seen;
}

void read_detail(Reading& reading, int proc, StuckRow& row) {
  const int tid = row.tid == row.pid ? 0 : row.tid;
  if (const auto text = read_of(reading, proc, row.pid, "wchan", tid))
    row.wait_channel = ShortText<48>(parse_wait_channel(*text));
  if (stack_may_be_read(reading.look.host.kernel, row.wait_channel.view()))
    if (const auto text = read_of(reading, proc, row.pid, "stack", tid))
      row.stack = parse_stack(*text, 6);
  if (const auto text = read_of(reading, proc, row.pid, "status", 0)) {
    const auto kib = [&](const char* key) -> std::optional<Bytes> {
      const auto value = value_of(*text, key);
      return value ? std::optional(*value << 10) : std::nullopt;
    };
    row.rss_bytes = kib("VmRSS");
    row.swap_bytes = kib("VmSwap");
  }
}

}  // namespace

std::uint32_t find_group(const HostLook& look, std::string_view path) {
  if (path.empty()) return kNoGroup;  // as the rows of containers that have no cgroup now
  for (std::uint32_t i = 0; i < look.groups.size(); ++i)
    if (look.groups[i].path == path) return i;
  return kNoGroup;
}

const TaskRow* HostLook::task(int pid) const {
  const auto rows = tasks.rows();
  const auto found = std::lower_bound(rows.begin(), rows.end(), pid,
                                      [](const TaskRow& row, int wanted) { return row.pid < wanted; });
  return found != rows.end() && found->pid == pid ? &*found : nullptr;
}

void read_tasks(Reading& reading, const Deadline& deadline) {
  HostLook& look = reading.look;
  const int proc = open_proc(reading);
  if (proc < 0) return note(look, "no tasks: " + reading.options.paths.proc + " cannot be listed");
  const Bytes page = page_bytes();
  const uid_t own = ::geteuid();
  reading.files.each_entry(proc, [&](const char* name, bool) {
    const int pid = pid_of(name);
    if (pid == 0) return true;
    if (deadline.passed()) {
      note(look,
           fmt::format("tasks: only {} processes read in the time there is", look.totals.processes));
      return false;
    }
    const auto text = read_of(reading, proc, pid, "stat");
    auto row = text ? parse_stat(*text, page) : std::nullopt;
    if (!row) return true;
    row->threads_before = row->threads;
    row->d_threads = row->state == 'D' ? 1 : 0;
    count(look.totals, *row);
    struct stat owner {};
    if (look.host.process_limit && ::fstatat(proc, name, &owner, 0) == 0 && owner.st_uid == own)
      look.host.user_threads += row->threads;
    look.tasks.push_heaviest(*row);
    return true;
  });
  ::close(proc);
  sort_by_pid(look.tasks);
}

void assign_groups(Reading& reading, const Deadline& deadline) {
  HostLook& look = reading.look;
  for (std::uint32_t i = 0; i < look.groups.size() && !deadline.passed(); ++i) {
    std::array<char, 4096> path{};
    const GroupRow& row = look.groups[i];
    std::snprintf(path.data(), path.size(), "%s%.*s/cgroup.procs", reading.memory_mount.c_str(),
                  static_cast<int>(row.path.size()), row.path.data());
    reading.files.each_line(AT_FDCWD, path.data(), [&](std::string_view line) {
      const auto pid = parse_count(line);
      TaskRow* task = pid && *pid <= 0x7fffffff ? look.task(static_cast<int>(*pid)) : nullptr;
      if (task) task->group = i;
    });
  }
  const int proc = open_proc(reading);
  if (proc < 0) return;
  // A zombie is on no such list.
  for (TaskRow& row : look.tasks.rows()) {
    const bool wanted = row.state == 'D' || row.state == 'Z' || row.threads >= kBigThreads;
    if (row.group != kNoGroup || !wanted) continue;
    if (deadline.passed()) {
      note(look, "groups of tasks: not all read in the time there is");
      break;
    }
    if (const auto text = read_of(reading, proc, row.pid, "cgroup"))
      row.group = find_group(look, memory_group(*text, look.cgroup_version));
  }
  ::close(proc);
}

void read_threads(Reading& reading, const Deadline& deadline) {
  HostLook& look = reading.look;
  const int proc = open_proc(reading);
  if (proc < 0) return;
  std::size_t read = 0;
  std::size_t left_out = 0;
  // Then all others as far as there is time: a leader that sleeps says nothing of its threads.
  for (const bool suspicious : {true, false}) {
    for (TaskRow& row : look.tasks.rows()) {
      if (is_suspicious(look, row) != suspicious || (!suspicious && row.threads < 2)) continue;
      if (row.state == 'D' && row.threads < 2) {
        add_stuck(look, row, row);
      } else if (read >= kMostThreadsRead || deadline.passed()) {
        left_out += suspicious ? 1 : 0;
      } else {
        read += read_threads_of(reading, proc, row);
      }
    }
  }
  ::close(proc);
  if (left_out > 0)
    note(look,
         fmt::format("threads of {} suspicious processes were not looked into: too many", left_out));
}

void read_stuck(Reading& reading, const Deadline& deadline) {
  HostLook& look = reading.look;
  const int proc = open_proc(reading);
  if (proc < 0) return;
  std::size_t read = 0;
  std::size_t named = 0;
  const auto of_group = reading.arena.array<std::uint16_t>(look.groups.size() + 1);
  for (const std::size_t each : {kDetailsEach, kMostDetails}) {
    for (StuckRow& row : look.stuck.rows()) {
      const std::size_t group = row.group == kNoGroup ? look.groups.size() : row.group;
      if (read >= kMostDetails || deadline.passed() || group >= of_group.size()) break;
      if (of_group[group] >= each || !row.wait_channel.empty() || row.rss_bytes) continue;
      ++of_group[group];
      ++read;
      read_detail(reading, proc, row);
      named += row.wait_channel.empty() ? 0 : 1;
    }
  }
  ::close(proc);
  if (read > 0 && named == 0 && ::geteuid() != 0)
    note(look, "where the tasks in D wait is shown to root alone");
}

void read_again(Reading& reading, const Deadline& deadline) {
  HostLook& look = reading.look;
  look.host.threads_before = look.host.threads;
  look.host.oom_kills_before = look.host.oom_kills;
  read_host_files(reading);
  const int proc = open_proc(reading);
  if (proc < 0) return;
  for (TaskRow* row : biggest(reading, kMostAgain)) {
    if (deadline.passed() || row->threads < 2) break;
    const auto text = read_of(reading, proc, row->pid, "stat");
    const auto now = text ? parse_stat(*text, 1) : std::nullopt;
    if (now && now->start_ticks == row->start_ticks) row->threads = now->threads;
  }
  // Those that were born since have no count before.
  const std::size_t known = look.tasks.size();
  reading.files.each_entry(proc, [&](const char* name, bool) {
    const int pid = pid_of(name);
    if (pid == 0 || look.tasks.dropped() > 0 || deadline.passed()) return !deadline.passed();
    const auto old = look.tasks.rows().first(known);
    const auto at = std::lower_bound(old.begin(), old.end(), pid,
                                     [](const TaskRow& row, int wanted) { return row.pid < wanted; });
    if (at != old.end() && at->pid == pid) return true;
    const auto text = read_of(reading, proc, pid, "stat");
    if (auto row = text ? parse_stat(*text, page_bytes()) : std::nullopt) {
      if (const auto group = read_of(reading, proc, pid, "cgroup"))
        row->group = find_group(look, memory_group(*group, look.cgroup_version));
      count(look.totals, *row);
      look.tasks.push_heaviest(*row);
    }
    return true;
  });
  ::close(proc);
  sort_by_pid(look.tasks);
  for (const TaskRow& row : look.tasks.rows()) take_in(look, row);
  read_groups_again(reading, deadline);
}

}  // namespace offheap::host
