// SPDX-License-Identifier: Apache-2.0
//
// The rules about cgroups: at their limit, hanging there, or killed again and again.
#include <algorithm>
#include <array>

#include "base/format.h"
#include "host/rules.h"

namespace offheap::host {
namespace {

constexpr std::uint64_t kLoopKills = 3;
constexpr double kLoopPatience_s = 60;  ///< since the last kill, of a loop that may still go on
constexpr double kLoopSpan_s = 600;
constexpr double kAtLimit = 0.95;
constexpr double kCloseToLimit = 0.90;
constexpr double kDominant = 0.50;
constexpr std::size_t kMostGroupFindings = 8;

bool is_listed(const GroupRow& row) {
  return row.path != "/" && (row.limit_bytes || (!row.container_id.empty() && !row.inner));
}

std::string usage_over_limit(const GroupRow& row) {
  std::string text = fmt::format("{} of {}", format_bytes(row.usage_bytes.value_or(0)),
                                 row.limit_bytes ? format_bytes(*row.limit_bytes) : "no limit");
  if (row.limit_bytes)
    text += fmt::format(" ({} %)", percent(share_of(row.usage_bytes.value_or(0), *row.limit_bytes)));
  return text;
}

/// How a user says which container a command is about.
std::string target_name(const HostLook& look, std::uint32_t group) {
  const GroupRow& row = look.groups[group];
  return row.container_id.empty() ? std::string(row.path) : group_label(look, group);
}

std::string raise_limit(const HostLook& look, std::uint32_t group) {
  const GroupRow& row = look.groups[group];
  if (row.runtime == "docker")
    return fmt::format("docker update --memory BYTES --memory-swap BYTES {}", target_name(look, group));
  return fmt::format("write more to {} of {}",
                     look.cgroup_version == 2 ? "memory.max" : "memory.limit_in_bytes", row.path);
}

struct Part {
  std::string_view name;
  Bytes bytes = 0;
};

/// The part that holds most of the usage; no name when none does or the parts were not read.
Part main_part(const GroupRow& row) {
  if (!row.parts_known) return {};
  Part most;
  for (const Part& part :
       {Part{"anonymous memory", row.anon_bytes}, Part{"shared memory and tmpfs", row.shmem_bytes},
        Part{"page cache", row.file_bytes}, Part{"kernel memory", row.kernel_bytes}})
    if (part.bytes > most.bytes) most = part;
  return share_of(most.bytes, row.usage_bytes.value_or(0)) > kDominant ? most : Part{};
}

std::string part_text(const GroupRow& row) {
  const Part part = main_part(row);
  if (part.name.empty()) return {};
  return fmt::format(", {} % of it {}", percent(share_of(part.bytes, row.usage_bytes.value_or(1))),
                     part.name);
}

std::string part_remedy(const HostLook& look, std::uint32_t group) {
  const std::string_view part = main_part(look.groups[group]).name;
  const std::string name = target_name(look, group);
  if (part.starts_with("shared"))
    return fmt::format("empty the tmpfs of {} (/dev/shm, emptyDir): killing frees none of it", name);
  if (part.starts_with("kernel"))
    return fmt::format("count threads, sockets and open files of {}", name);
  return fmt::format("offheap explain {}", name);
}

/// The latest kills of one container in the kernel's log, which has them in order.
struct LoggedKills {
  const KillRow* last = nullptr;
  std::uint64_t count = 0;
  std::array<double, kLoopKills> times_s{};  ///< of the latest, in a ring

  void add(const KillRow& kill) {
    last = &kill;
    times_s[count++ % kLoopKills] = kill.time_s;
  }

  /// Three or more, and no longer since the last than the three took: the next is still to come.
  [[nodiscard]] bool go_on(double now_s) const {
    if (count < kLoopKills) return false;
    const double since_s = now_s - last->time_s;
    const double span_s = last->time_s - times_s[count % kLoopKills];
    return since_s <= std::max(kLoopPatience_s, std::min(span_s, kLoopSpan_s));
  }
};

/// Whether a container or cgroup dies again and again, and how that is known.
bool loops(const HostLook& look, std::uint32_t group, std::string& why) {
  const GroupRow& row = look.groups[group];
  LoggedKills logged;
  for (const KillRow& kill : look.kills.rows())
    if (kill.group == group) logged.add(kill);
  const std::uint64_t kills = row.oom_kills.value_or(0);
  const std::uint64_t before = row.oom_kills_before.value_or(kills);
  if (kills > before) {
    why = fmt::format("{} while it was looked at, {} in all", plural(kills - before, "kill", "kills"),
                      kills);
    return kills >= kLoopKills;
  }
  const bool dies = row.state == "restarting" || row.exit_code.value_or(0) == 137;
  if (row.restarts.value_or(0) >= kLoopKills && dies) {
    why =
        fmt::format("restarted {} times, last exit code {}", *row.restarts, row.exit_code.value_or(0));
    return true;
  }
  if (!logged.go_on(look.host.uptime_s)) return false;
  why = fmt::format("{} in the kernel log, the last {:.0f} s ago",
                    plural(logged.count, "kill", "kills"), look.host.uptime_s - logged.last->time_s);
  return true;
}

/// Kills in cgroups that are gone: containers that are made anew each time, under another id.
void add_nameless_loops(const HostLook& look, Findings& out) {
  std::array<LoggedKills, 16> names{};
  std::size_t used = 0;
  for (const KillRow& kill : look.kills.rows()) {
    if (kill.group != kNoGroup || kill.limit_path.empty()) continue;
    std::size_t at = 0;
    while (at < used && names[at].last->name.view() != kill.name.view()) ++at;
    if (at == names.size()) continue;
    used = std::max(used, at + 1);
    names[at].add(kill);
  }
  for (std::size_t i = 0; i < used; ++i) {
    if (!names[i].go_on(look.host.uptime_s)) continue;
    const KillRow& kill = *names[i].last;
    out.push_back(
        {"kill-loop", 1900 + static_cast<double>(names[i].count),
         fmt::format("{} in a kill loop", kill.name.view()),
         fmt::format("{} was killed {} times in cgroups that are gone; the last, {}, held {}",
                     kill.name.view(), names[i].count, path_label(kill.group_path),
                     format_bytes(kill.anon_bytes + kill.file_bytes + kill.shmem_bytes)),
         "offheap oom says what filled each; raise the limit of what makes them anew, or stop it"});
  }
}

}  // namespace

void rule_hang(const HostLook& look, Findings& out) {
  for (std::uint32_t i = 0; i < look.groups.size(); ++i) {
    const GroupRow& row = look.groups[i];
    if (!row.under_oom || !row.oom_kill_disabled) continue;
    const std::string name = group_label(look, i);
    out.push_back(
        {"oom-hang", 3000.0 + row.d_threads, fmt::format("{} hangs at its limit", name),
         fmt::format(
             "{} is at its limit, {}, and its OOM killer is off: {} in D for want of memory, and "
             "nothing is logged",
             name, usage_over_limit(row), plural(row.d_threads, "thread", "threads")),
         fmt::format("raise the limit of {}, which wakes them: {}; or echo 0 > memory.oom_control",
                     name, raise_limit(look, i)),
         0, i});
  }
}

void rule_loop(const HostLook& look, Findings& out) {
  for (std::uint32_t i = 0; i < look.groups.size(); ++i) {
    const GroupRow& row = look.groups[i];
    std::string why;
    if (!is_listed(row) || !loops(look, i, why)) continue;
    const std::string name = group_label(look, i);
    const bool restarts =
        row.runtime == "docker" && !row.restart_policy.empty() && row.restart_policy != "no";
    out.push_back({"kill-loop", 2000 + row.weight(), fmt::format("{} in a kill loop", name),
                   fmt::format("{} is killed again and again: {}; {}{}", name, why,
                               usage_over_limit(row), part_text(row)),
                   (restarts ? fmt::format("stop the loop: docker update --restart=no {}; then ", name)
                             : std::string()) +
                       part_remedy(look, i) + ", or " + raise_limit(look, i),
                   0, i});
  }
  add_nameless_loops(look, out);
}

void rule_at_limit(const HostLook& look, Findings& out) {
  std::size_t found = 0;
  std::uint64_t others = 0;
  for (std::uint32_t i = 0; i < look.groups.size(); ++i) {
    const GroupRow& row = look.groups[i];
    std::string ignored;
    if (!is_listed(row) || row.closeness() < kCloseToLimit || loops(look, i, ignored)) continue;
    if (row.under_oom && row.oom_kill_disabled) continue;
    const bool cache = main_part(row).name == "page cache" && row.oom_kills.value_or(0) == 0;
    // Clean page cache is dropped before anything is killed.
    if (cache && row.d_threads == 0) continue;
    if (found++ >= kMostGroupFindings) {
      ++others;
      continue;
    }
    const bool at = row.closeness() >= kAtLimit;
    const std::string name = group_label(look, i);
    std::string text = fmt::format("{} is {} its limit: {}{}", name, at ? "at" : "near",
                                   usage_over_limit(row), part_text(row));
    if (row.swap_counts_memory && row.swap_usage_bytes && row.swap_limit_bytes &&
        *row.swap_usage_bytes >= *row.swap_limit_bytes / 20 * 19)
      text += fmt::format("; memory and swap {} of {}", format_bytes(*row.swap_usage_bytes),
                          format_bytes(*row.swap_limit_bytes));
    if (row.failcnt)
      text += fmt::format("; hit it {} times, {}", *row.failcnt,
                          plural(row.oom_kills.value_or(0), "kill", "kills"));
    out.push_back({at ? "at-limit" : "near-limit", (at ? 500 : 100) + row.weight(),
                   fmt::format("{} {} its limit", name, at ? "at" : "near"), text,
                   part_remedy(look, i) + ", or " + raise_limit(look, i), 0, i});
  }
  if (others > 0 && !out.empty()) out.back().text += fmt::format("; {} more like it", others);
}

}  // namespace offheap::host
