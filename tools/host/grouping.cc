// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "host/findings.h"

namespace offheap::host {
namespace {

constexpr std::size_t kMostGroups = 128;
constexpr double kWorthCloseness = 0.80;

template <typename Group>
void sort_by_count(std::vector<Group>& groups) {
  std::stable_sort(groups.begin(), groups.end(),
                   [](const Group& a, const Group& b) { return a.count > b.count; });
}

void add_limit(std::vector<ForkLimit>& limits, std::string_view name, std::uint64_t used,
               std::uint64_t limit) {
  if (limit > 0) limits.push_back({name, used, limit});
}

}  // namespace

std::vector<StuckGroup> group_stuck(const HostLook& look) {
  std::vector<StuckGroup> groups;
  for (const StuckRow& row : look.stuck.rows()) {
    const auto same = std::find_if(groups.begin(), groups.end(), [&](const StuckGroup& g) {
      return g.group == row.group && g.wait_channel == row.wait_channel.view();
    });
    if (same != groups.end()) {
      ++same->count;
    } else if (groups.size() < kMostGroups) {
      groups.push_back({row.wait_channel.view(), row.group, 1, &row});
    }
  }
  sort_by_count(groups);
  return groups;
}

std::vector<ZombieGroup> group_zombies(const HostLook& look) {
  std::vector<ZombieGroup> groups;
  for (const TaskRow& row : look.tasks.rows()) {
    if (row.state != 'Z') continue;
    auto same = std::find_if(groups.begin(), groups.end(),
                             [&](const ZombieGroup& g) { return g.parent_pid == row.parent_pid; });
    if (same == groups.end()) {
      if (groups.size() == kMostGroups) continue;
      groups.push_back({row.parent_pid, look.task(row.parent_pid), row.group, row.name});
      same = groups.end() - 1;
    }
    ++same->count;
    if (row.d_threads > 0) ++same->with_d_threads;
  }
  sort_by_count(groups);
  return groups;
}

std::vector<const TaskRow*> most_threads(const HostLook& look, std::size_t most) {
  std::vector<const TaskRow*> rows;
  const auto more = [](const TaskRow* a, const TaskRow* b) { return a->threads > b->threads; };
  for (const TaskRow& row : look.tasks.rows()) {
    if (rows.size() == most && rows.back()->threads >= row.threads) continue;
    if (rows.size() == most) rows.pop_back();
    rows.insert(std::upper_bound(rows.begin(), rows.end(), &row, more), &row);
  }
  return rows;
}

bool worth_showing(const GroupRow& row) {
  return row.closeness() >= kWorthCloseness || row.oom_kills.value_or(0) > 0 || row.under_oom ||
         row.d_threads > 0 || row.zombies > 0 || row.state == "restarting" ||
         row.forks_refused.value_or(0) > 0;
}

std::vector<const GroupRow*> order_groups(const HostLook& look, bool all) {
  std::vector<const GroupRow*> rows;
  const std::size_t most = all ? look.groups.size() : kMostGroups;
  const auto above = [](const GroupRow* a, const GroupRow* b) { return a->weight() > b->weight(); };
  for (const GroupRow& row : look.groups.rows()) {
    if (row.path == "/" || (!row.limit_bytes && (row.container_id.empty() || row.inner))) continue;
    if (!all && !worth_showing(row)) continue;
    if (rows.size() == most && !above(&row, rows.back())) continue;
    if (rows.size() == most) rows.pop_back();
    rows.insert(std::upper_bound(rows.begin(), rows.end(), &row, above), &row);
  }
  return rows;
}

std::string_view meaning_of(std::string_view wait_channel) {
  struct Meaning {
    std::string_view begin;
    std::string_view words;
  };
  constexpr std::array<Meaning, 19> kMeanings = {{
      {"mem_cgroup_oom_synchronize", "hang at a limit whose OOM killer is off"},
      {"mem_cgroup_handle_over_high", "held back above memory.high"},
      {"try_charge", "reclaim inside the limit"},
      {"try_to_free", "reclaim inside the limit"},
      {"shrink_", "reclaim"},
      {"reclaim_throttle", "reclaim, waiting for progress"},
      {"throttle_direct_reclaim", "the host's reclaim"},
      {"io_schedule", "disk: pages read back in"},
      {"folio_wait", "disk: pages read back in"},
      {"wait_on_page", "disk: pages read back in"},
      {"__lock_page", "disk: pages read back in"},
      {"__folio_lock", "disk: pages read back in"},
      {"rwsem_down", "a lock, mostly a process's mmap_lock, whose holder is stuck"},
      {"zap_pid_ns_processes", "init of a dead container waits for children in D"},
      {"rpc_wait", "an NFS server that does not answer"},
      {"wait_for_completion", "a helper that has not finished"},
      {"do_coredump", "a core dump being written"},
      {"kernel_clone", "a parent in vfork(), whose child has not started its program"},
      {"_do_fork", "a parent in vfork(), whose child has not started its program"},
  }};
  for (const Meaning& meaning : kMeanings)
    if (wait_channel.starts_with(meaning.begin)) return meaning.words;
  return {};
}

std::vector<ForkLimit> fork_limits(const HostLook& look) {
  std::vector<ForkLimit> limits;
  const HostFacts& host = look.host;
  const std::uint64_t threads = std::max(host.threads, look.totals.threads);
  // A zombie has a pid too, and no thread that loadavg counts.
  add_limit(limits, "kernel.pid_max", threads + look.totals.zombies, host.pid_max);
  add_limit(limits, "kernel.threads-max", threads + look.totals.zombies, host.threads_max);
  if (host.process_limit) add_limit(limits, "RLIMIT_NPROC", host.user_threads, *host.process_limit);
  if (host.overcommit == 2) {
    add_limit(limits, "CommitLimit (vm.overcommit_memory=2)", host.committed_bytes,
              host.commit_limit_bytes);
    if (!limits.empty() && limits.back().limit == host.commit_limit_bytes) limits.back().bytes = true;
  }
  for (std::uint32_t i = 0; i < look.groups.size(); ++i) {
    const GroupRow& row = look.groups[i];
    if (row.pids && row.pids_limit)
      limits.push_back(
          {"pids.max", *row.pids, *row.pids_limit, false, i, row.forks_refused.value_or(0)});
    if (row.kernel_usage_bytes && row.kernel_limit_bytes)
      limits.push_back(
          {"memory.kmem.limit_in_bytes", *row.kernel_usage_bytes, *row.kernel_limit_bytes, true, i});
  }
  const auto closer = [](const ForkLimit& a, const ForkLimit& b) {
    return a.closeness() > b.closeness();
  };
  std::stable_sort(limits.begin(), limits.end(), closer);
  return limits;
}

}  // namespace offheap::host
