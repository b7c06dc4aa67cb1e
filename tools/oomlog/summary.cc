// SPDX-License-Identifier: Apache-2.0
#include "oomlog/summary.h"

#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <unordered_map>

#include "oomlog/container.h"
#include "oomlog/frame.h"

namespace offheap {
namespace {

constexpr std::int64_t kSameClockUs = 1000;
constexpr std::int64_t kSameWallSeconds = 2;
constexpr std::int64_t kYearSeconds = 366 * 86400;
constexpr std::int64_t kLoopGapUs = 600'000'000;
constexpr std::size_t kLoopKills = 3;

/// The same day and time in 1970, as a syslog's time without a year is read.
std::int64_t without_year(std::int64_t seconds) {
  const auto time = static_cast<time_t>(seconds);
  tm parts{};
  if (gmtime_r(&time, &parts) == nullptr) return seconds;
  parts.tm_year = 70;
  return timegm(&parts);
}

/// Whether two kills of the same pid are one, told by two logs. The kernel's clock decides where both
/// have it; wall times may lack the year and the zone.
bool same_moment(const LogTime& a, const LogTime& b) {
  if (a.clock_us && b.clock_us) return std::abs(*a.clock_us - *b.clock_us) <= kSameClockUs;
  const auto first = seconds_of_wall(a.wall);
  const auto second = seconds_of_wall(b.wall);
  if (!first || !second) return false;
  const bool with_years = *first >= kYearSeconds && *second >= kYearSeconds;
  const std::int64_t apart =
      with_years ? *first - *second : without_year(*first) - without_year(*second);
  return std::abs(apart) <= kSameWallSeconds;
}

/// How much a report says: of two that tell the same kill the fuller one stays.
std::size_t fullness(const OomReport& report) {
  return report.biggest.size() + report.stat.size() + (report.has_header ? 10 : 0) +
         (report.oom_memcg.empty() ? 0 : 5);
}

/// A time of two logs: one may have the wall time, the other the kernel's clock.
void add_time(LogTime& to, const LogTime& from) {
  if (to.wall.empty()) to.wall = from.wall;
  if (to.clock_us) return;
  to.clock = from.clock;
  to.clock_us = from.clock_us;
}

/// Drops the victims that another report has too.
std::uint64_t drop_duplicates(std::vector<OomReport>& reports) {
  struct Seen {
    std::size_t report;
    LogTime time;
  };
  std::unordered_multimap<std::int64_t, Seen> seen;
  std::uint64_t dropped = 0;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    const std::vector<OomVictim> victims = reports[i].victims;
    for (const OomVictim& victim : victims) {
      if (!victim.pid) continue;
      std::size_t poorer = reports.size();
      const auto [begin, end] = seen.equal_range(*victim.pid);
      auto found = end;
      for (auto it = begin; it != end; ++it)
        if (it->second.report != i && same_moment(it->second.time, victim.time)) found = it;
      if (found == end) {
        seen.emplace(*victim.pid, Seen{i, victim.time});
        continue;
      }
      LogTime both = found->second.time;
      add_time(both, victim.time);
      const bool keep_new = fullness(reports[i]) > fullness(reports[found->second.report]);
      poorer = keep_new ? found->second.report : i;
      found->second = {keep_new ? i : found->second.report, both};
      for (OomVictim& kept : reports[found->second.report].victims)
        if (kept.pid == victim.pid) add_time(kept.time, both);
      std::erase_if(reports[poorer].victims, [&](const OomVictim& v) { return v.pid == victim.pid; });
      ++dropped;
    }
    // A report that lost its victims to a fuller one is told already.
    if (!victims.empty() && reports[i].victims.empty()) reports[i].has_header = false;
  }
  std::erase_if(reports, [](const OomReport& report) {
    return report.victims.empty() && !report.has_header && report.panic.empty() &&
           !report.no_killable && !report.selected_only_pid && report.oom_memcg.empty();
  });
  return dropped;
}

void sort_by_time(std::vector<OomReport>& reports) {
  const bool walls = std::all_of(reports.begin(), reports.end(), [](const OomReport& report) {
    return seconds_of_wall(report.time.wall).has_value();
  });
  const bool clocks = std::all_of(reports.begin(), reports.end(), [](const OomReport& report) {
    return report.time.clock_us.has_value();
  });
  if (!walls && !clocks) return;
  std::stable_sort(reports.begin(), reports.end(), [walls](const OomReport& a, const OomReport& b) {
    if (!walls) return a.time.clock_us < b.time.clock_us;
    const auto first = seconds_of_wall(a.time.wall);
    const auto second = seconds_of_wall(b.time.wall);
    if (first != second) return first < second;
    return a.time.clock_us && b.time.clock_us && a.time.clock_us < b.time.clock_us;
  });
}

void add_notes(OomNotes& all, const OomNotes& one) {
  all.suppressed += one.suppressed;
  all.printk_dropped += one.printk_dropped;
  all.overwritten += one.overwritten;
  all.no_killable += one.no_killable;
  all.fork_rejected += one.fork_rejected;
  all.soft_lockup = all.soft_lockup || one.soft_lockup;
  if (all.other_panic.empty()) all.other_panic = one.other_panic;
  if (all.kernel.empty()) all.kernel = one.kernel;
  if (!all.page_kb) all.page_kb = one.page_kb;
  const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  append(all.unable_to_reap, one.unable_to_reap);
  append(all.alive_at_lock_dump, one.alive_at_lock_dump);
  append(all.selected_without_kill, one.selected_without_kill);
  all.states.insert(one.states.begin(), one.states.end());
}

/// What a loop is of: a pod before its containers, whose ids change when they are made anew.
std::pair<std::string, std::string> loop_key(const OomReport& report) {
  const GroupOwner owner = owner_of_group(report.task_memcg);
  if (!owner.pod_uid.empty()) return {owner.pod_uid, "pod"};
  if (owner.container) return {owner.container->id, "container"};
  if (!report.task_memcg.empty() && report.task_memcg != "/") return {report.task_memcg, "cgroup"};
  return {};
}

void find_loops(OomSummary& summary) {
  std::map<std::pair<std::string, std::string>, std::vector<std::size_t>> by_key;
  for (std::size_t i = 0; i < summary.kills.size(); ++i) {
    const OomKill& kill = summary.kills[i];
    // A group's kill is one event, however many died.
    if (kill.victim > 0) continue;
    const auto key = loop_key(summary.reports[kill.report]);
    if (!key.first.empty()) by_key[key].push_back(i);
  }
  for (auto& [key, kills] : by_key) {
    if (kills.size() < kLoopKills) continue;
    std::vector<std::int64_t> times;
    std::string first_group;
    OomLoop loop{key.first, key.second, kills, 0, 0, false};
    for (const std::size_t i : kills) {
      const OomReport& report = summary.reports[summary.kills[i].report];
      if (const auto us = order_us(report.victims[summary.kills[i].victim].time)) times.push_back(*us);
      if (first_group.empty()) first_group = report.task_memcg;
      loop.ids_change = loop.ids_change || report.task_memcg != first_group;
    }
    if (times.size() != kills.size()) continue;
    std::sort(times.begin(), times.end());
    loop.span_us = times.back() - times.front();
    for (std::size_t i = times.size(); --i > 0;) times[i] -= times[i - 1];
    times.erase(times.begin());
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    loop.median_gap_us = *middle;
    if (loop.median_gap_us <= kLoopGapUs) summary.loops.push_back(std::move(loop));
  }
  std::stable_sort(summary.loops.begin(), summary.loops.end(),
                   [](const OomLoop& a, const OomLoop& b) { return a.kills.size() > b.kills.size(); });
}

}  // namespace

std::optional<std::int64_t> order_us(const LogTime& time) {
  if (time.clock_us) return time.clock_us;
  const auto seconds = seconds_of_wall(time.wall);
  return seconds ? std::optional(*seconds * 1'000'000) : std::nullopt;
}

std::string constraint_word(const OomReport& report) {
  if (report.constraint == "MEMCG") return "memcg";
  if (report.constraint == "CPUSET") return "cpuset";
  if (report.constraint == "MEMORY_POLICY") return "mempolicy";
  if (report.constraint == "NONE") return "global";
  if (!report.oom_memcg.empty() || report.memory) return "memcg";
  if (report.memcg_kill) return *report.memcg_kill ? "memcg" : "global";
  return {};
}

OomSummary summarise(std::vector<LogContents> logs) {
  OomSummary summary;
  for (LogContents& log : logs) {
    summary.sources.push_back(log.source);
    summary.bytes += log.bytes;
    summary.unlisted_reports += log.unlisted_reports;
    add_notes(summary.notes, log.notes);
    // The page size is the machine's: one proof serves all of a log.
    for (OomReport& report : log.reports) {
      const bool sized = report.memory || !report.biggest.empty();
      if (!report.page_kb && sized) report.page_kb = log.notes.page_kb;
      summary.reports.push_back(std::move(report));
    }
  }
  summary.duplicates = drop_duplicates(summary.reports);
  sort_by_time(summary.reports);
  for (std::size_t i = 0; i < summary.reports.size(); ++i)
    for (std::size_t j = 0; j < summary.reports[i].victims.size(); ++j) summary.kills.push_back({i, j});
  find_loops(summary);
  return summary;
}

}  // namespace offheap
