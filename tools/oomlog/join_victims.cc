// SPDX-License-Identifier: Apache-2.0
//
// The lines that name a victim: by pid to the report that knows it, else to the one that waits for it.
#include <algorithm>
#include <utility>

#include "oomlog/oom_log.h"

namespace offheap {
namespace {

constexpr std::int64_t kOrderSeconds = 10;  ///< a line joins by order no later than this
constexpr std::int64_t kGroupSeconds = 2;
constexpr std::size_t kRemembered = 4096;

void remember(std::deque<std::int64_t>& pids, std::int64_t pid) {
  pids.push_back(pid);
  if (pids.size() > kRemembered) pids.pop_front();
}

bool knows(const std::deque<std::int64_t>& pids, std::int64_t pid) {
  return std::find(pids.begin(), pids.end(), pid) != pids.end();
}

void take_sizes(const KilledLine& line, OomVictim& victim) {
  victim.total_vm_kb = line.total_vm_kb;
  victim.anon_rss_kb = line.anon_rss_kb;
  victim.file_rss_kb = line.file_rss_kb;
  victim.shmem_rss_kb = line.shmem_rss_kb;
  victim.pgtables_kb = line.pgtables_kb;
  victim.adj = line.adj;
  if (line.uid) victim.uid = line.uid;
}

}  // namespace

OomLog::OpenReport* OomLog::with_victim(std::int64_t pid) {
  for (auto it = open_.rbegin(); it != open_.rend(); ++it) {
    for (const OomVictim& victim : it->report.victims)
      if (victim.pid == pid) return &*it;
    for (const OomVictim& victim : it->loose)
      if (victim.pid == pid) return &*it;
  }
  return nullptr;
}

OomLog::OpenReport* OomLog::with_row(std::int64_t pid) {
  for (auto it = open_.rbegin(); it != open_.rend(); ++it) {
    if (!it->report.victims.empty()) continue;
    for (const OomTask& row : it->rows)
      if (row.pid == pid || row.tgid == pid) return &*it;
  }
  return nullptr;
}

OomLog::OpenReport* OomLog::report_of_event(const EventLine& line) {
  if (OpenReport* open = with_victim(*line.pid)) return open->has_event ? nullptr : open;
  if (OpenReport* open = with_row(*line.pid); open && !open->has_event) return open;
  for (auto it = open_.rbegin(); it != open_.rend(); ++it) {
    const bool same_path = !it->stats_path.empty() && it->stats_path == line.oom_memcg;
    if (same_path && !it->has_event && it->report.victims.empty()) return &*it;
  }
  OpenReport* open = body();
  const bool fits = open && !open->has_event && recent(*open, kOrderSeconds) &&
                    (open->stats_path.empty() || open->stats_path == line.oom_memcg);
  return fits ? open : nullptr;
}

void OomLog::on(const EventLine& line) {
  if (!line.pid) {
    OpenReport& open = body_or_new();
    if (open.report.constraint.empty()) open.report.constraint = line.constraint;
    return;
  }
  OpenReport* found = report_of_event(line);
  OpenReport& open = found ? *found : start(true);
  touch(open);
  open.has_event = true;
  OomReport& report = open.report;
  report.constraint = line.constraint;
  if (!line.nodemask.empty()) report.nodemask = line.nodemask;
  if (!line.cpuset.empty()) report.invoker_cpuset = line.cpuset;
  report.oom_memcg = unescape_log(line.oom_memcg);
  report.task_memcg = unescape_log(line.task_memcg);
  for (OomVictim& victim : report.victims) {
    if (victim.pid != line.pid) continue;
    if (!victim.uid) victim.uid = line.uid;
    if (victim.name.empty()) victim.name = unescape_log(line.task);
    return;
  }
  OomVictim victim;
  victim.pid = line.pid;
  victim.name = unescape_log(line.task);
  victim.uid = line.uid;
  victim.source = VictimSource::kEvent;
  victim.time = now_.time;
  report.victims.push_back(std::move(victim));
}

void OomLog::on(const SelectedLine& line) {
  OpenReport* open = body();
  // With an oom-kill: line the victim is named already and the report is complete but for this.
  if (OpenReport* named = with_victim(line.pid); named && named->has_event && !named->selected)
    open = named;
  const bool fits = open && !open->selected && recent(*open, kOrderSeconds) &&
                    !(line.memcg && open->report.memcg_kill && *line.memcg != *open->report.memcg_kill);
  OpenReport& found = fits ? *open : start(false);
  touch(found);
  if (line.memcg) found.report.memcg_kill = line.memcg;
  OomVictim victim;
  victim.pid = line.pid;
  victim.name = unescape_log(line.name);
  victim.score = line.score;
  victim.source = VictimSource::kSelected;
  victim.time = now_.time;
  found.selected = std::move(victim);
  found.selected_cut = line.cut;
}

/// A kill that was printed already: again in the sweep of its group, or by a line about it before.
bool OomLog::repeats(const KilledLine& line) {
  OpenReport* open = with_victim(line.pid);
  if (!open) return false;
  for (OomVictim& victim : open->report.victims) {
    if (victim.pid != line.pid) continue;
    touch(*open);
    if (line.memcg) open->report.memcg_kill = line.memcg;
    if (victim.lines == 0) {
      take_sizes(line, victim);
      if (victim.name.empty()) victim.name = unescape_log(line.name);
      victim.source = VictimSource::kKilled;
      victim.time = now_.time;
      if (open->selected) victim.score = open->selected->score;
    } else if (!open->loose.empty()) {
      open->report.group = true;
    }
    ++victim.lines;
    return true;
  }
  for (OomVictim& victim : open->loose) {
    if (victim.pid == line.pid) ++victim.lines;
  }
  return true;
}

OomLog::OpenReport* OomLog::report_of_kill(const KilledLine& line) {
  OpenReport* open = nullptr;
  for (auto it = open_.rbegin(); it != open_.rend() && !open; ++it)
    if (it->selected && it->report.victims.empty() && it->last_line + 3 >= line_number_) open = &*it;
  if (!open) open = with_row(line.pid);
  if (!open) open = body();
  if (!open || !recent(*open, kOrderSeconds)) return nullptr;
  const auto& memcg = open->report.memcg_kill;
  const bool by_limit = (memcg && *memcg) || open->report.memory.has_value();
  if (line.memcg && ((*line.memcg && memcg && !*memcg) || (!*line.memcg && by_limit))) return nullptr;
  return open;
}

/// A kill by a limit right after another: of the same group, if a group shows by its end.
bool OomLog::keep_loose(const KilledLine& line) {
  if (!line.memcg || !*line.memcg || open_.empty()) return false;
  OpenReport& open = open_.back();
  const bool after_kill = !open.report.victims.empty() && open.report.victims.front().lines > 0 &&
                          recent(open, kGroupSeconds) && open.report.memcg_kill == true;
  if (!after_kill || (!open.report.group && !open.has_event)) return false;
  touch(open);
  OomVictim victim;
  victim.pid = line.pid;
  victim.name = unescape_log(line.name);
  victim.time = now_.time;
  victim.lines = 1;
  take_sizes(line, victim);
  open.loose.push_back(std::move(victim));
  return true;
}

void OomLog::on(const KilledLine& line) {
  if (repeats(line)) return;
  remember(killed_, line.pid);
  OpenReport* found = report_of_kill(line);
  if (!found && keep_loose(line)) return;
  OpenReport& open = found ? *found : start(false);
  touch(open);
  if (line.memcg) open.report.memcg_kill = line.memcg;
  OomVictim victim;
  victim.pid = line.pid;
  victim.name = unescape_log(line.name);
  victim.time = now_.time;
  victim.lines = 1;
  take_sizes(line, victim);
  if (open.selected) {
    victim.score = open.selected->score;
    if (open.selected->pid != line.pid) {
      victim.selected_pid = open.selected->pid;
      remember(sacrificing_, *open.selected->pid);
    }
  }
  open.report.victims.push_back(std::move(victim));
}

void OomLog::on(const GroupLine& line) {
  for (auto it = open_.rbegin(); it != open_.rend(); ++it) {
    if (it->report.victims.empty() || !recent(*it, kGroupSeconds)) continue;
    it->report.group = true;
    if (it->report.task_memcg.empty()) it->report.task_memcg = unescape_log(line.path);
    touch(*it);
    return;
  }
}

void OomLog::on(const ReaperLine& line) {
  if (!line.reaped) {
    if (notes_.unable_to_reap.size() < OomNotes::kListed) notes_.unable_to_reap.push_back(line.pid);
    wanted_until_ = line_number_ + 200;
  }
  if (OpenReport* open = with_victim(line.pid)) {
    for (auto* list : {&open->report.victims, &open->loose})
      for (OomVictim& victim : *list)
        if (victim.pid == line.pid) victim.reaped = line.reaped;
    return;
  }
  if (!line.reaped || knows(killed_, line.pid)) return;
  OpenReport* open = nullptr;
  for (OpenReport& other : open_)
    if (other.selected && other.selected->pid == line.pid && other.report.victims.empty())
      open = &other;
  if (!open) open = with_row(line.pid);
  if (!open) {
    open = body();
    if (open && !open->rows.empty()) open = nullptr;
  }
  OpenReport& found = open && recent(*open, kOrderSeconds) ? *open : start(false);
  touch(found);
  remember(killed_, line.pid);
  OomVictim victim;
  victim.pid = line.pid;
  victim.name = unescape_log(line.name);
  victim.reaped = true;
  if (found.selected) victim.score = found.selected->score;
  victim.source = VictimSource::kReaper;
  victim.time = now_.time;
  found.report.victims.push_back(std::move(victim));
}

}  // namespace offheap
