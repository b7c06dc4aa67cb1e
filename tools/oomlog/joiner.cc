// SPDX-License-Identifier: Apache-2.0
//
// Which report a line belongs to, and what it adds there.
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "oomlog/oom_log.h"
#include "oomlog/text.h"

namespace offheap {
namespace {

constexpr std::int64_t kBodySeconds = 60;  ///< a slow console prints one report for as long
constexpr std::uint64_t kPanicLines = 60;  ///< who panicked, and its stack
constexpr std::size_t kRecordedKeys = 200;

void add_pages(std::string_view values, std::map<std::string, std::int64_t>& into, std::int64_t unit,
               std::string_view suffix) {
  while (!values.empty() && into.size() < kRecordedKeys) {
    std::string_view word = eat_token(values);
    const auto colon = word.find(':');
    if (colon == std::string_view::npos) continue;
    std::string_view number = word.substr(colon + 1);
    const auto value = eat_number(number);
    if (value && number == suffix && *value >= 0 && *value < std::int64_t{1} << 50)
      into[std::string(word.substr(0, colon))] += *value * unit;
  }
}

}  // namespace

void OomLog::touch(OpenReport& open) {
  open.last_line = line_number_;
  open.last = now_.time;
}

bool OomLog::recent(const OpenReport& open, std::int64_t seconds) const {
  if (now_.time.clock_us && open.last.clock_us)
    return std::abs(*now_.time.clock_us - *open.last.clock_us) <= seconds * 1'000'000;
  if (now_.time.wall == open.last.wall) return true;
  const auto now = seconds_of_wall(now_.time.wall);
  const auto last = seconds_of_wall(open.last.wall);
  return !now || !last || std::abs(*now - *last) <= seconds;
}

OomLog::OpenReport& OomLog::start(bool supersede) {
  if (supersede)
    for (OpenReport& open : open_) open.superseded = true;
  OpenReport& open = open_.emplace_back();
  open.caller = now_.caller;
  open.report.time = now_.time;
  touch(open);
  return open;
}

OomLog::OpenReport* OomLog::body() {
  if (now_.caller) {
    for (auto it = open_.rbegin(); it != open_.rend(); ++it)
      if (it->caller == now_.caller && it->report.victims.empty() && recent(*it, kBodySeconds))
        return &*it;
  }
  if (open_.empty()) return nullptr;
  OpenReport& open = open_.back();
  const bool other_thread = open.caller && now_.caller && open.caller != now_.caller;
  if (open.superseded || open.selected || !open.report.victims.empty() || open.panicked || other_thread)
    return nullptr;
  return &open;
}

OomLog::OpenReport& OomLog::body_or_new() {
  OpenReport* open = body();
  OpenReport& found = open && recent(*open, kBodySeconds) ? *open : start(true);
  touch(found);
  ++found.body_lines;
  return found;
}

void OomLog::on(const HeaderLine& line) {
  OpenReport& open = start(true);
  open.report.has_header = true;
  open.report.invoker = unescape_log(line.comm);
  open.report.gfp = line.gfp;
  open.report.nodemask = line.nodemask;
  open.report.order = line.order;
}

void OomLog::on(const CpusetLine& line) {
  OpenReport* open = body();
  if (!open || !open->report.has_header || unescape_log(line.comm) != open->report.invoker) return;
  open->report.invoker_cpuset = line.cpuset;
  touch(*open);
}

void OomLog::on(const CpuLine& line) {
  if (notes_.kernel.empty()) notes_.kernel = line.kernel;
  const std::string comm = unescape_log(line.comm);
  for (auto it = open_.rbegin(); it != open_.rend(); ++it) {
    OomReport& report = it->report;
    if (it->panicked && !report.panic_pid) {
      report.panic_pid = line.pid;
      report.panic_comm = comm;
      return;
    }
  }
  OpenReport* open = body();
  if (open && open->report.has_header) {
    if (open->report.invoker_pid || (!comm.empty() && comm != open->report.invoker)) return;
    open->report.invoker_pid = line.pid;
    open->report.kernel = line.kernel;
    touch(*open);
  } else if (line.pid) {
    orphan_ = Orphan{*line.pid, comm, std::string(line.kernel), line_number_};
    wanted_until_ = line_number_ + 40;
  }
}

void OomLog::on(const StackLine& line) {
  const bool out_of_memory = line.function.find("out_of_memory") != std::string_view::npos ||
                             line.function.find("oom_kill_process") != std::string_view::npos;
  OpenReport* open = body();
  if (!open && !open_.empty() && open_.back().panicked) {
    if (line.function.find("mem_cgroup_o") == 0) open_.back().report.panic_memcg = true;
    return;
  }
  if (!open && orphan_ && out_of_memory && line_number_ - orphan_->line < 40) {
    OpenReport& found = start(true);
    found.report.invoker = orphan_->comm;
    found.report.invoker_pid = orphan_->pid;
    found.report.kernel = orphan_->kernel;
    orphan_.reset();
    return;
  }
  if (!open) return;
  touch(*open);
  ++open->body_lines;
  if (line.function.starts_with("shmem_")) open->report.through_shmem = true;
  if (line.function.find("filemap") != std::string_view::npos ||
      line.function.find("page_cache") != std::string_view::npos)
    open->report.through_files = true;
  if (line.function.find("copy_process") != std::string_view::npos) open->report.through_fork = true;
}

void OomLog::on(const LimitLine& line) {
  OpenReport* open = body();
  if (!open || open->limit_named || open->has_event) open = &start(true);
  touch(*open);
  open->limit_named = true;
  open->limit_time = now_.time;
  open->report.task_memcg = unescape_log(line.task_memcg);
  open->report.oom_memcg = unescape_log(line.oom_memcg);
  open->report.memcg_kill = true;
}

void OomLog::on(const UsageLine& line) {
  OpenReport& open = body_or_new();
  const OomUsage usage{line.usage_kb, line.limit_kb, line.failcnt};
  OomReport& report = open.report;
  auto& slot = line.counter == Counter::kMemory       ? report.memory
               : line.counter == Counter::kMemorySwap ? report.memory_swap
               : line.counter == Counter::kKernel     ? report.kernel_memory
                                                      : report.swap;
  if (!slot) slot = usage;
}

void OomLog::on(const StatsHeadLine& line) {
  OpenReport& open = body_or_new();
  if (open.stats_path.empty()) open.stats_path = line.path;
  // Up to 5.2 each cgroup of the subtree has a line with its own, not its children's: add them up.
  add_pages(line.values, open.report.stat, 1024, "KB");
  open.stats_open = line.values.empty();
}

void OomLog::on(const StatLine& line) {
  OpenReport* open = body();
  if (!open || !open->stats_open || open->report.stat.size() >= kRecordedKeys) return;
  open->report.stat.emplace(line.key, line.value);
  touch(*open);
}

void OomLog::on(const PagesLine& line) {
  OpenReport* open = body();
  if (!open) return;
  touch(*open);
  ++open->body_lines;
  std::map<std::string, std::int64_t> once;
  add_pages(line.values, once, 1, "");
  open->report.host.pages.merge(once);
}

void OomLog::on(const HostLine& line) {
  OpenReport* open = body();
  if (!open) return;
  touch(*open);
  HostFigures& host = open->report.host;
  if (line.figure == HostFigure::kSwapFreeKb) host.swap_free_kb = line.value;
  if (line.figure == HostFigure::kSwapTotalKb) host.swap_total_kb = line.value;
  if (line.figure == HostFigure::kRamPages) host.ram_pages = line.value;
}

void OomLog::on(const ZoneLine& line) {
  OpenReport* open = body();
  if (!open) return;
  touch(*open);
  open->report.host.zone_free_kb += line.free_kb;
  open->report.host.zone_min_kb += line.min_kb;
}

void OomLog::on(const TableHeadLine& line) {
  OpenReport& open = body_or_new();
  open.columns = line;
  open.stats_open = false;
}

void OomLog::on(const TaskRowLine& line) {
  OpenReport& open = body_or_new();
  open.stats_open = false;
  if (open.rows.size() >= kTaskRows) return;
  open.rows.push_back({line.pid, line.tgid, line.uid, line.total_vm_pages, line.rss_pages,
                       line.rss_shmem_pages, line.swap_pages, line.pgtables_bytes, line.adj,
                       unescape_log(line.name)});
}

void OomLog::on(const RemarkLine& line) {
  if (line.remark == Remark::kSoftLockup) notes_.soft_lockup = true;
  if (line.remark == Remark::kForkRejected) ++notes_.fork_rejected;
  if (line.remark == Remark::kNoKillable) {
    ++notes_.no_killable;
    OpenReport& open = body_or_new();
    open.report.no_killable = true;
    open.superseded = true;  // this report has its end
  }
  if (line.remark != Remark::kTasksState && line.remark != Remark::kMemInfo) return;
  OpenReport& open = body_or_new();
  open.stats_open = false;
  if (line.remark == Remark::kMemInfo && !open.report.memory) open.report.memcg_kill = false;
}

void OomLog::on(const PanicLine& line) {
  const bool by_policy = line.reason.starts_with("Out of memory:");
  if (!by_policy && line.reason.find("deadlocked on memory") == std::string_view::npos) {
    if (notes_.other_panic.empty()) notes_.other_panic = line.reason;
    wanted_until_ = line_number_ + kPanicLines;
    return;
  }
  OpenReport* open = body();
  // "no killable processes" ends a report, and then this panic follows.
  if (!open && !open_.empty() && open_.back().report.no_killable) open = &open_.back();
  OpenReport& found = open ? *open : start(true);
  touch(found);
  found.panicked = true;
  wanted_until_ = line_number_ + kPanicLines;
  found.report.panic = line.reason;
}

void OomLog::on(const SuppressedLine& line) {
  notes_.suppressed += std::clamp<std::int64_t>(line.count, 0, 1 << 30);
}

void OomLog::on(const TaskStateLine& line) {
  const auto& pids = notes_.unable_to_reap;
  if (std::find(pids.begin(), pids.end(), line.pid) != pids.end()) notes_.states[line.pid] = line.state;
}

void OomLog::on(const LockLine& line) {
  auto& alive = notes_.alive_at_lock_dump;
  const bool killed = std::find(killed_.begin(), killed_.end(), line.pid) != killed_.end();
  if (killed && alive.size() < OomNotes::kListed &&
      std::find(alive.begin(), alive.end(), line.pid) == alive.end())
    alive.push_back(line.pid);
}

}  // namespace offheap
