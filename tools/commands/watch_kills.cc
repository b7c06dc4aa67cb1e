// SPDX-License-Identifier: Apache-2.0
//
// The agent's second half: kills, by the kernel's log or by its counters, and the jobs that look and
// write.
#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "commands/dead_process.h"
#include "commands/look.h"
#include "commands/watch_agent.h"
#include "commands/watch_log.h"
#include "render/cgroup_text.h"
#include "render/sanitise.h"
#include "watch/incident_text.h"

namespace offheap {
namespace {

constexpr std::uint64_t kSecond_ns = 1'000'000'000;
constexpr std::uint64_t kIncidentDeadline_ns = 60 * kSecond_ns;
constexpr std::uint64_t kReportWait_ns = 5 * kSecond_ns;
constexpr std::uint64_t kLookWait_ns = 10 * kSecond_ns;
constexpr std::uint64_t kKept_ns = 60 * kSecond_ns;
constexpr std::size_t kSnapshotsOfGroup = 8;
constexpr std::size_t kMostKillsWaiting = 1000;

std::optional<std::int64_t> clock_of(const OomReport& report, const OomVictim& victim) {
  return victim.time.clock_us ? victim.time.clock_us : report.time.clock_us;
}

const HeldProcess* held_of(const std::vector<std::unique_ptr<HeldProcess>>& held, int pid) {
  for (const auto& one : held)
    if (one->use.pid == pid) return one.get();
  return nullptr;
}

}  // namespace

void watch_log(std::string_view text) {
  const std::string line =
      fmt::format("{} {}\n", utc_text(static_cast<std::int64_t>(realtime_ns())), sanitise(text));
  std::fputs(line.c_str(), stderr);
}

std::uint64_t realtime_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kSecond_ns + static_cast<std::uint64_t>(now.tv_nsec);
}

void WatchAgent::count_kills(Group& group) {
  const auto now = group.files.kills();
  if (!now) return;
  const std::uint64_t before = group.kills_counted.value_or(*now);
  group.kills_counted = now;
  if (*now <= before) return;
  group.kills_open += *now - before;
  group.kills_open_ns = monotonic_ns();
}

void WatchAgent::take_reports() {
  for (const OomReport& report : kernel_log_.take_reports()) {
    for (std::size_t i = 0; i < report.victims.size(); ++i) {
      const auto clock = clock_of(report, report.victims[i]);
      if (!clock || *clock > state_.handled_us) take_report(report, i);
    }
  }
}

std::shared_ptr<WatchAgent::Group> WatchAgent::group_of_kill(const std::string& limit_path,
                                                             const std::string& path, int pid) {
  std::vector<std::shared_ptr<Group>> all;
  for (const auto& [name, group] : groups_) all.push_back(group);
  all.insert(all.end(), gone_.rbegin(), gone_.rend());
  for (const auto& group : all)
    if (held_of(group->held, pid)) return group;
  const std::string own(container_group(path));
  for (const std::string& wanted : {limit_path, own, path})
    for (const auto& group : all)
      if (!wanted.empty() && group->found.path == wanted) return group;
  return nullptr;
}

IncidentParts WatchAgent::parts_of(const Group* group, const std::string& path) const {
  IncidentParts parts;
  parts.boot_id = boot_id_;
  parts.group = group ? group->found.path : path;
  parts.time_ns = realtime_ns();
  parts.container = container_json(container_of_path(path.empty() ? parts.group : path));
  if (!group) return parts;
  parts.limit_bytes = group->found.limit_bytes;
  parts.usage_bytes = group->highest_bytes;
  parts.timeline.assign(group->ring.points().begin(), group->ring.points().end());
  return parts;
}

void WatchAgent::take_report(const OomReport& report, std::size_t victim_index) {
  if (kills_.size() >= kMostKillsWaiting) return;
  const OomVictim& victim = report.victims[victim_index];
  const int pid = static_cast<int>(victim.pid.value_or(0));
  const auto group = group_of_kill(report.oom_memcg, report.task_memcg, pid);
  if (!group && !options_.containers.empty()) return;  // asked for others only
  if (group) {
    count_kills(*group);  // so that it is not counted after its report
    if (group->kills_open > 0) --group->kills_open;
  }
  Kill kill;
  kill.parts = parts_of(group.get(), std::string(container_group(report.task_memcg)));
  kill.parts.kernel_report = kernel_report_json(report, victim_index);
  kill.parts.victim.pid = pid;
  kill.parts.victim.command = victim.name;
  kill.parts.victim.known_by = "the kernel's report";
  if (report.memory && kill.parts.limit_bytes == 0 && !is_no_limit(report.memory->limit_kb))
    kill.parts.limit_bytes = static_cast<Bytes>(report.memory->limit_kb) * 1024;
  if (report.memory)
    kill.parts.usage_bytes =
        std::max(kill.parts.usage_bytes, static_cast<Bytes>(report.memory->usage_kb) * 1024);
  if (const auto clock = clock_of(report, victim)) {
    kill.kill_us = static_cast<std::uint64_t>(std::max<std::int64_t>(0, *clock));
    const std::uint64_t now_us = monotonic_ns() / 1000;
    kill.parts.time_ns = realtime_ns() - (now_us - std::min(now_us, kill.kill_us)) * 1000;
  }
  kill.since_ns = monotonic_ns();
  kills_.push_back(std::move(kill));
}

void WatchAgent::take_counted_kills() {
  const std::uint64_t wait_ns = kernel_log_.fd() >= 0 ? kReportWait_ns : kSecond_ns;
  std::vector<std::shared_ptr<Group>> all(gone_);
  for (const auto& [path, group] : groups_) all.push_back(group);
  for (const auto& group : all)
    if (group->kills_open > 0 && monotonic_ns() >= group->kills_open_ns + wait_ns)
      take_counted_kill(*group);
}

void WatchAgent::take_counted_kill(Group& group) {
  Kill kill;
  kill.parts = parts_of(&group, group.found.path);
  kill.since_ns = monotonic_ns();
  kill.parts.kernel_report_missing =
      kernel_log_.fd() >= 0 ? "the kernel counted this kill and printed no report: its rate limit"
                            : kernel_log_.missing();
  if (group.kills_open > 1)
    kill.parts.notes.push_back(fmt::format("the kernel counted {} kills at once", group.kills_open));
  const HeldProcess* ended = nullptr;
  for (const auto& held : group.held)
    if (held->ended() && (!ended || held->use.own_bytes() > ended->use.own_bytes())) ended = held.get();
  if (ended) {
    kill.parts.victim.pid = ended->use.pid;
    kill.parts.victim.command = ended->use.command;
    kill.parts.victim.known_by = "it ended when the kernel counted a kill";
  }
  group.kills_open = 0;
  kills_.push_back(std::move(kill));
}

void WatchAgent::start_next_incident() {
  const bool writing = std::any_of(running_.begin(), running_.end(),
                                   [](const auto& running) { return !running->group; });
  if (kills_.empty() || writing) return;
  Kill& kill = kills_.front();
  const auto group = group_of_kill("", kill.parts.group, kill.parts.victim.pid);
  // A look at the dying process may still be under way.
  if (group && group->looks > 0 && monotonic_ns() < kill.since_ns + kLookWait_ns) return;
  JoinTask task;
  task.parts = kill.parts;
  task.kill_us = kill.kill_us;
  if (group) task.victim = held_of(group->held, kill.parts.victim.pid);
  if (task.victim) {
    task.parts.victim.start_ticks = task.victim->use.start_ticks;
    task.parts.victim.namespace_pid = task.victim->use.namespace_pid;
  }
  const auto handled = static_cast<std::int64_t>(kill.kill_us);
  if (store_) {
    Store& store = *store_;
    auto job =
        Job::start([&task, &store](const JobAnswer& answer) { write_incident(task, store, answer); },
                   monotonic_ns() + kIncidentDeadline_ns);
    if (!job) {
      watch_log(fmt::format("no incident yet: {}: {}", job.error().where, job.error().what));
      return;  // tried again at the next tick
    }
    running_.push_back(std::make_unique<Running>(Running{std::move(*job), nullptr, handled}));
    add_source(running_.back()->job.socket());
  } else {
    watch_log(fmt::format("{} (pid {}) killed in {}; there is no store to keep it in",
                          kill.parts.victim.command, kill.parts.victim.pid, kill.parts.group));
  }
  kills_.pop_front();
}

void WatchAgent::serve(Running& running) {
  while (auto message = running.job.receive()) {
    const std::string& text = message->text;
    if (text.empty()) continue;
    if (text[0] == 'R' && running.group) {
      const int pid = std::atoi(text.c_str() + 1);
      for (const auto& held : running.group->held) {
        if (held->use.pid != pid) continue;
        held->recording = std::move(message->descriptor);
        held->recording_path = text.substr(std::min(text.size(), text.find(' ') + 1));
        break;
      }
    } else if (running.group) {
      watch_log(fmt::format("{}: {}{}", running.group->found.path,
                            text[0] == 'E' ? "snapshot failed: " : "snapshot: ", text.substr(1)));
    } else {
      watch_log(text[0] == 'E' ? "incident failed: " + text.substr(1) : text.substr(1));
    }
  }
  if (running.job.kill_if_late(monotonic_ns()))
    watch_log(running.group
                  ? running.group->found.path + ": the snapshot took too long and was given up"
                  : std::string("an incident took too long and was given up"));
  if (running.job.ended()) end_job(running);
}

void WatchAgent::end_job(Running& running) {
  if (running.group) {
    --running.group->looks;
    tidy_store(group_key(running.group->found.path));
  } else {
    state_.handled_us = std::max(state_.handled_us, running.handled_us);
    tidy_store(0);
    if (store_) (void)store_->write_state(state_);
  }
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

void WatchAgent::tidy_store(std::uint64_t group) {
  if (!store_) return;
  std::vector<std::string> own;
  for (const StoreEntry& entry : store_->list())
    if (entry.kind == EntryKind::kSnapshot && entry.group == group) own.push_back(entry.name);
  for (std::size_t i = 0; i + kSnapshotsOfGroup < own.size(); ++i) store_->remove(own[i]);
  const std::size_t dropped = store_->drop_above_bound();
  if (dropped == 0) return;
  state_.dropped += dropped;
  watch_log(fmt::format("{} old files were dropped to stay within --disk, {} in all", dropped,
                        state_.dropped));
  (void)store_->write_state(state_);
}

/// The dead are kept for a report that comes late, the living for as long as their group is near its
/// limit; a while longer, since usage falls before a killed process counts as ended.
void WatchAgent::let_go(Group& group) {
  constexpr std::uint64_t kCalm_ns = 10 * kSecond_ns;
  const std::uint64_t now = monotonic_ns();
  if (group.policy.passed() > 0 || group.looks > 0) {
    group.calm_since_ns = 0;
  } else if (group.calm_since_ns == 0) {
    group.calm_since_ns = now;
  }
  const bool calm = group.calm_since_ns != 0 && now > group.calm_since_ns + kCalm_ns;
  for (const auto& held : group.held)
    if (held->ended_ns == 0 && held->ended()) held->ended_ns = now;
  std::erase_if(group.held, [&](const auto& held) {
    return held->ended_ns == 0 ? calm : now > held->ended_ns + kKept_ns;
  });
}

void WatchAgent::forget_old() {
  const std::uint64_t now = monotonic_ns();
  if (!kills_.empty()) return;
  std::erase_if(gone_, [&](const auto& group) { return now > group->gone_ns + kKept_ns; });
  for (const auto& [path, group] : groups_) let_go(*group);
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

}  // namespace offheap
