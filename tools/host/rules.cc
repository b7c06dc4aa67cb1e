// SPDX-License-Identifier: Apache-2.0
//
// The rules about the host and its tasks, one function each, and the table of all rules. Every figure
// stands beside what it is a part of; docs/remedies.md has a heading for each kind.
#include <fmt/format.h>

#include <algorithm>

#include "base/format.h"
#include "host/rules.h"

namespace offheap::host {
namespace {

constexpr double kLowAvailable = 0.05;
constexpr double kFullSwap = 0.90;
constexpr double kHighPressure = 10;  ///< percent of time in which all tasks stood still
constexpr double kForkNear = 0.80;
constexpr std::uint64_t kManyZombies = 10;
constexpr std::uint64_t kManyThreads = 1000;
constexpr double kMostThreads = 0.25;
constexpr std::uint64_t kGrownThreads = 50;
constexpr std::uint64_t kManyStuck = 3;

void rule_memory(const HostLook& look, Findings& out) {
  const HostFacts& host = look.host;
  const double available = share_of(host.memory_available_bytes, host.memory_total_bytes);
  const double stalled = host.memory_pressure ? host.memory_pressure->full : 0;
  if (host.memory_total_bytes == 0 || (available >= kLowAvailable && stalled < kHighPressure)) return;
  const auto rows = look.tasks.rows();
  const auto largest =
      std::max_element(rows.begin(), rows.end(),
                       [](const TaskRow& a, const TaskRow& b) { return a.rss_bytes < b.rss_bytes; });
  std::string text =
      fmt::format("the host has {} of {} available ({} %)", format_bytes(host.memory_available_bytes),
                  format_bytes(host.memory_total_bytes), percent(available));
  if (host.memory_pressure)
    text += fmt::format("; all tasks waited for memory {:.0f} % of the last 10 s", stalled);
  std::string next = "find what holds it: containers above, then host processes";
  int pid = 0;
  if (largest != rows.end()) {
    pid = largest->pid;
    text += fmt::format("; the largest is pid {} {} with {}", pid, largest->name.view(),
                        format_bytes(largest->rss_bytes));
    next = fmt::format("offheap explain {}; stop what can wait", pid);
  }
  out.push_back({"host-memory", 1500 + stalled,
                 available < kLowAvailable ? "host out of memory" : "host stalls for memory", text,
                 next, pid});
}

void rule_swap(const HostLook& look, Findings& out) {
  const HostFacts& host = look.host;
  const Bytes used = host.swap_total_bytes - std::min(host.swap_total_bytes, host.swap_free_bytes);
  if (host.swap_total_bytes == 0 || share_of(used, host.swap_total_bytes) < kFullSwap) return;
  out.push_back(
      {"host-swap", 900, "host out of swap",
       fmt::format("swap is full: {} of {} ({} %)", format_bytes(used),
                   format_bytes(host.swap_total_bytes), percent(share_of(used, host.swap_total_bytes))),
       "give containers memory.swap.max or --memory-swap limits; swapoff only with memory to spare"});
}

void rule_fork(const HostLook& look, Findings& out) {
  std::size_t found = 0;
  for (const ForkLimit& limit : fork_limits(look)) {
    if (limit.closeness() < kForkNear && limit.refused == 0) continue;
    if (++found > 3) break;
    const bool here = limit.group == kNoGroup;
    const std::string where = here ? "the host" : group_label(look, limit.group);
    std::string text = fmt::format(
        "fork {} in {}: {} {} of {} ({} %)", limit.closeness() >= 1 ? "fails" : "will fail", where,
        limit.name, limit.bytes ? format_bytes(limit.used) : fmt::format("{}", limit.used),
        limit.bytes ? format_bytes(limit.limit) : fmt::format("{}", limit.limit),
        percent(limit.closeness()));
    if (limit.refused > 0) text += fmt::format("; it has refused {}", limit.refused);
    std::string next = fmt::format("see THREADS for who owns them; raise {}{}", limit.name,
                                   here ? "" : " of " + where);
    out.push_back({"fork", 1200 + 100 * limit.closeness(),
                   fmt::format("{} {} % used", limit.name, percent(limit.closeness())), text, next, 0,
                   limit.group});
  }
}

void rule_stuck(const HostLook& look, Findings& out) {
  if (look.totals.d_threads < std::max(kManyStuck, look.host.cpus / 4)) return;
  const auto groups = group_stuck(look);
  std::string text = fmt::format("{} threads of {} in D", look.totals.d_threads,
                                 std::max(look.host.threads, look.totals.threads));
  int pid = 0;
  std::string next = "look at STUCK; each raises the load by 1 without using a CPU";
  const auto known = std::find_if(groups.begin(), groups.end(),
                                  [](const StuckGroup& g) { return !g.wait_channel.empty(); });
  if (known != groups.end()) {
    pid = known->first->pid;
    text += fmt::format(", most in {} at {}", group_label(look, known->group), known->wait_channel);
    const std::string_view meaning = meaning_of(known->wait_channel);
    if (!meaning.empty()) text += fmt::format(" ({})", meaning);
    if (meaning.starts_with("disk"))
      next =
          "look at PSI io and swap: memory is read back as fast as it is dropped; raise the limit or "
          "stop the largest";
    if (meaning.starts_with("a lock"))
      next =
          "free the lock's holder, a task in reclaim: raise its container's limit; do not run ps or "
          "top, they wait too";
    if (meaning.starts_with("an NFS")) next = "bring the NFS server back, or umount -f";
  }
  out.push_back({"stuck", 1000 + std::min(500.0, static_cast<double>(look.totals.d_threads)),
                 fmt::format("{} threads in D", look.totals.d_threads), text, next, pid});
}

void rule_zombies(const HostLook& look, Findings& out) {
  if (look.totals.zombies < kManyZombies) return;
  const auto groups = group_zombies(look);
  std::string text =
      fmt::format("{} zombies of {} processes", look.totals.zombies, look.totals.processes);
  std::string next = "have their parents wait for them";
  int pid = 0;
  if (!groups.empty() && groups.front().parent) {
    const ZombieGroup& most = groups.front();
    pid = most.parent_pid;
    text += fmt::format("; {} have parent {} {} ({}), which {}", most.count, pid,
                        most.parent->name.view(), group_label(look, most.parent->group),
                        most.parent->state == 'D' ? "is itself in D" : "does not wait for them");
    next = most.parent->state == 'D' ? fmt::format("free pid {} first, see STUCK", pid)
                                     : fmt::format(
                                           "restart pid {} ({}) with an init that reaps (docker run "
                                           "--init); its death frees the zombies",
                                           pid, most.parent->name.view());
  }
  out.push_back({"zombies", 300 + std::min(500.0, static_cast<double>(look.totals.zombies)),
                 plural(look.totals.zombies, "zombie", "zombies"), text, next, pid});
}

void rule_undead(const HostLook& look, Findings& out) {
  for (const ZombieGroup& group : group_zombies(look)) {
    if (group.with_d_threads == 0) continue;
    out.push_back(
        {"undead", 1100.0 + static_cast<double>(group.with_d_threads),
         fmt::format("{} dead but in D", group.with_d_threads),
         fmt::format(
             "{} of parent {} are dead but for threads in D ({}, {}): they cannot be killed again",
             plural(group.with_d_threads, "process", "processes"), group.parent_pid, group.name.view(),
             group_label(look, group.group)),
         "free what their threads wait for, see STUCK; if nothing does, only a reboot will",
         group.parent_pid, group.group});
  }
  std::uint64_t undead = 0;
  const KillRow* first = nullptr;
  for (const KillRow& kill : look.kills.rows()) {
    if (!kill.undead) continue;
    ++undead;
    if (!first) first = &kill;
  }
  if (undead == 0) return;
  out.push_back({"undead", 1100.0 + static_cast<double>(undead),
                 fmt::format("{} killed and still there", undead),
                 fmt::format("{} of the OOM killer {} still there, the first is pid {} {} ({})",
                             plural(undead, "victim", "victims"), undead == 1 ? "is" : "are",
                             first->pid, first->name.view(), group_label(look, first->group)),
                 "free what they wait for, see STUCK; their memory is not given back before",
                 first->pid, first->group});
}

void rule_threads(const HostLook& look, Findings& out) {
  const auto most = most_threads(look, 1);
  if (most.empty()) return;
  const TaskRow& row = *most.front();
  const std::uint64_t all = std::max(look.host.threads, look.totals.threads);
  const bool many = row.threads >= kManyThreads && share_of(row.threads, all) >= kMostThreads;
  const TaskRow* grown = nullptr;
  for (const TaskRow& task : look.tasks.rows())
    if (task.threads_before > 0 && task.threads >= task.threads_before + kGrownThreads &&
        (!grown || task.threads - task.threads_before > grown->threads - grown->threads_before))
      grown = &task;
  if (!many && !grown) return;
  const TaskRow& worst = grown ? *grown : row;
  std::string text = fmt::format("pid {} {} ({}) has {} threads of {} ({} %)", worst.pid,
                                 worst.name.view(), group_label(look, worst.group), worst.threads, all,
                                 percent(share_of(worst.threads, all)));
  if (grown)
    text += fmt::format(", {} more than {:.1f} s before", grown->threads - grown->threads_before,
                        static_cast<double>(look.between_looks_ns) / 1e9);
  if (look.host.kernel_stack_bytes > 0)
    text += fmt::format("; kernel stacks of all hold {}", format_bytes(look.host.kernel_stack_bytes));
  out.push_back(
      {"threads", grown ? 800.0 : 400.0,
       fmt::format("{} has {} threads", worst.name.view(), worst.threads), text,
       fmt::format("bound its thread pool; offheap explain {} says what the stacks hold", worst.pid),
       worst.pid, worst.group});
}

void rule_log(const HostLook& look, Findings& out) {
  const auto counted = look.host.oom_kills;
  if (!counted || !look.log_kills || *look.log_kills >= *counted) return;
  out.push_back(
      {"log-loss", 10, fmt::format("log shows {} of {} kills", *look.log_kills, *counted),
       fmt::format(
           "the kernel log shows {} of {} kills since boot: the others were dropped or overwritten",
           *look.log_kills, *counted),
       "offheap oom on the files of the system log shows the older ones"});
}

/// A host without a process is one that could not be read: it must not be called healthy.
void rule_blind(const HostLook& look, Findings& out) {
  if (look.totals.processes > 0) return;
  out.push_back(
      {"blind", 5000, "this program sees nothing",
       "no process could be read: its own cgroup has no memory left for opening files, or /proc "
       "is not there; NOTE says which",
       "run offheap host as root, which can leave the cgroup, or from a shell in another cgroup"});
}

using Rule = void (*)(const HostLook&, Findings&);
constexpr Rule kRules[] = {rule_blind, rule_hang,  rule_loop,    rule_at_limit, rule_memory,  rule_swap,
                           rule_fork,  rule_stuck, rule_zombies, rule_undead,   rule_threads, rule_log};

}  // namespace

std::vector<Finding> find(const HostLook& look) {
  Findings findings;
  for (const Rule rule : kRules) rule(look, findings);
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& a, const Finding& b) { return a.weight > b.weight; });
  return findings;
}

}  // namespace offheap::host
