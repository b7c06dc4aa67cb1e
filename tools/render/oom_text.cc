// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "base/format.h"
#include "oomlog/cause.h"
#include "oomlog/container.h"
#include "render/oom.h"
#include "render/page.h"
#include "render/sanitise.h"
#include "render/text.h"

namespace offheap {
namespace {

constexpr std::size_t kNameColumns = 40;
constexpr std::size_t kShortId = 12;
constexpr std::size_t kTableRows = 5;

std::string kb(std::int64_t value) {
  return format_bytes(value <= 0 ? 0 : static_cast<Bytes>(value) * 1024);
}

std::string kb_or_dash(const std::optional<std::int64_t>& value) { return value ? kb(*value) : "?"; }

std::string name_or(const OomNames& names, const std::string& key, const std::string& otherwise) {
  const auto found = names.find(key);
  return found == names.end() ? otherwise : found->second;
}

/// "docker container 962994b9ed58 (shop) of pod ..."
std::string owner_text(const OomReport& report, const OomNames& names) {
  const GroupOwner owner = owner_of_group(report.task_memcg);
  std::string text;
  if (owner.container) {
    const std::string& runtime = owner.container->runtime;
    text = fmt::format("{}container {}",
                       runtime == "unknown" || runtime == "kubernetes" ? "" : runtime + " ",
                       owner.container->id.substr(0, kShortId));
    const std::string name = name_or(names, owner.container->id, "");
    if (!name.empty()) text += " (" + name + ")";
  }
  if (!owner.pod_uid.empty())
    text += fmt::format("{}pod {}", text.empty() ? "" : " of ",
                        name_or(names, owner.pod_uid, owner.pod_uid));
  if (text.empty() && !owner.unit.empty()) text = owner.unit;
  if (text.empty()) text = report.task_memcg;
  if (!owner.outer.empty()) text += fmt::format(" inside {}", owner.outer);
  return text;
}

std::string time_text(const LogTime& time) {
  if (!time.wall.empty() && time.wall != time.clock) return time.wall;
  if (!time.clock_us) return "no time in the log";
  return fmt::format("{:.3f} s after boot", static_cast<double>(*time.clock_us) / 1e6);
}

std::string limit_text(const OomReport& report) {
  if (constraint_word(report) != "memcg") {
    const auto& ram = report.host.ram_pages;
    if (ram && report.page_kb)
      return fmt::format("the whole machine's memory, {}", kb(*ram * *report.page_kb));
    return "the whole machine's memory";
  }
  std::string text = level_of_limit(report.oom_memcg, report.task_memcg);
  if (text.empty()) text = "a cgroup's; the log does not name it";
  if (report.oom_memcg != report.task_memcg) text += ", " + report.oom_memcg;
  if (report.memory) {
    const std::int64_t limit = report.memory->limit_kb;
    text += fmt::format(": {} used of {}", kb(report.memory->usage_kb),
                        is_no_limit(limit) ? "no limit" : kb(limit));
  }
  return text;
}

void put_table(const OomReport& report, const OomVictim& victim, Page& page) {
  if (report.biggest.empty()) return;
  page.line(fmt::format("  largest     {:>10}  {:>12}  {:>6}  {}", "pid", "resident", "adj", "name"));
  for (std::size_t i = 0; i < std::min(kTableRows, report.biggest.size()); ++i) {
    const OomTask& task = report.biggest[i];
    const std::string size =
        report.page_kb ? kb(task.rss_pages * *report.page_kb) : fmt::format("{} pages", task.rss_pages);
    page.line(fmt::format("              {:>10}  {:>12}  {:>6}  {}{}", task.pid, size,
                          task.adj ? std::to_string(*task.adj) : "?", sanitise(task.name, kNameColumns),
                          victim.pid == task.pid ? "  <- killed" : ""));
  }
  if (report.task_count > static_cast<std::int64_t>(kTableRows))
    page.line(fmt::format("              of {} processes", report.task_count));
}

void put_kill(const OomReport& report, const OomVictim& victim, const OomNames& names, Page& page) {
  const std::string name = victim.name.empty() ? "a task" : sanitise(victim.name, kNameColumns);
  const std::string pid = victim.pid ? fmt::format(" (pid {})", *victim.pid) : std::string();
  page.heading(fmt::format("{}  {}{}", sanitise(time_text(victim.time)), name, pid));
  const std::string owner = owner_text(report, names);
  if (!owner.empty()) page.wrapped("  in        ", owner);
  page.wrapped("  limit     ", limit_text(report));
  if (victim.anon_rss_kb)
    page.wrapped("  victim    ", fmt::format("{} anonymous, {} file, {} shared; oom_score_adj {}",
                                             kb(*victim.anon_rss_kb), kb_or_dash(victim.file_rss_kb),
                                             kb_or_dash(victim.shmem_rss_kb),
                                             victim.adj ? std::to_string(*victim.adj) : "?"));
  const OomCause cause = judge_oom(report, victim);
  page.wrapped("  cause     ", cause.kind + ": " + cause.summary);
  if (!cause.evidence.empty()) page.wrapped("  evidence  ", cause.evidence);
  for (const std::string& note : cause.notes) page.wrapped("  note      ", note);
  if (victim.source != VictimSource::kKilled)
    page.wrapped("  note      ",
                 "the log has no `Killed process` line: the victim is known from another line");
  if (victim.selected_pid)
    page.wrapped("  note      ",
                 fmt::format("the kernel selected pid {} and killed this one of its tasks",
                             *victim.selected_pid));
  if (victim.reaped == false)
    page.wrapped("  note      ", "could not be reaped: its memory was not freed in time");
  if (report.group)
    page.wrapped("  note      ", "memory.oom.group is set: the whole cgroup was killed");
  put_table(report, victim, page);
  if (!cause.remedy.empty()) page.wrapped("  next      ", cause.remedy);
}

void put_loops(const OomSummary& summary, const OomNames& names, Page& page) {
  if (summary.loops.empty()) return;
  page.heading("LOOPS");
  for (const OomLoop& loop : summary.loops) {
    const std::string name =
        name_or(names, loop.key, loop.what == "container" ? loop.key.substr(0, kShortId) : loop.key);
    page.wrapped(
        "  ", fmt::format("{} {}: {} kills in {}, one every {}{}", loop.what, name, loop.kills.size(),
                          format_duration(static_cast<std::uint64_t>(loop.span_us) * 1000),
                          format_duration(static_cast<std::uint64_t>(loop.median_gap_us) * 1000),
                          loop.ids_change ? "; its containers are made anew each time" : ""));
  }
}

void put_losses(const OomSummary& summary, Page& page) {
  const OomNotes& notes = summary.notes;
  std::vector<std::string> lines;
  const auto say = [&lines](std::int64_t count, const char* what) {
    if (count > 0) lines.push_back(fmt::format("{} {}", count, what));
  };
  std::int64_t without = 0;
  for (const OomReport& report : summary.reports)
    if (report.victims.empty() && report.panic.empty()) ++without;
  say(without, "reports whose kill is not in the log");
  say(notes.suppressed, "more events that the kernel's rate limit swallowed: the true count is higher");
  say(notes.printk_dropped, "kernel messages dropped");
  say(notes.overwritten, "records overwritten before they were read");
  say(notes.no_killable, "times there was nothing left to kill");
  say(static_cast<std::int64_t>(notes.unable_to_reap.size()), "victims that could not be reaped");
  say(notes.fork_rejected, "forks rejected by pids.max, which is no memory shortage");
  say(static_cast<std::int64_t>(summary.duplicates),
      "kills that a second log told again, counted once");
  say(static_cast<std::int64_t>(summary.unlisted_reports), "further reports, not listed");
  for (const OomReport& report : summary.reports)
    if (!report.panic.empty()) lines.push_back("the kernel panicked: " + report.panic);
  if (lines.empty()) return;
  page.heading("NOT IN THE LIST");
  for (const std::string& line : lines) page.wrapped("  ", line);
}

}  // namespace

std::string oom_text(const OomSummary& summary, const OomNames& names, bool colour, std::size_t most) {
  Page page(colour, kTextColumns);
  const std::size_t events =
      static_cast<std::size_t>(std::count_if(summary.kills.begin(), summary.kills.end(),
                                             [](const OomKill& kill) { return kill.victim == 0; }));
  std::string head = fmt::format("{} killed for lack of memory", summary.kills.size());
  if (events != summary.kills.size()) head += fmt::format(" in {} events", events);
  if (summary.kills.empty()) head = "nobody was killed for lack of memory in this log";
  page.line(page.bold(head));
  put_loops(summary, names, page);
  const std::size_t shown = std::min(most, summary.kills.size());
  for (std::size_t i = summary.kills.size() - shown; i < summary.kills.size(); ++i) {
    const OomReport& report = summary.reports[summary.kills[i].report];
    put_kill(report, report.victims[summary.kills[i].victim], names, page);
  }
  if (shown < summary.kills.size()) {
    page.blank();
    page.line(fmt::format("the latest {} of {} are shown: --last N for more, --json for all", shown,
                          summary.kills.size()));
  }
  put_losses(summary, page);
  return page.take();
}

}  // namespace offheap
