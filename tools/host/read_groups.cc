// SPDX-License-Identifier: Apache-2.0
//
// The walk over memory cgroups: directories breadth first, and the few counters of each that cost the
// kernel nothing. memory.stat, which makes it add up its CPUs' counts, is read for the worst only.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "cgroup/cgroup.h"
#include "host/parse.h"
#include "host/read.h"

namespace offheap::host {
namespace {

constexpr std::size_t kPartsOfWorst = 12;

std::optional<std::uint64_t> count_in(Reading& reading, int group, const char* name) {
  const auto text = reading.files.read(group, name);
  return text ? parse_count(*text) : std::nullopt;
}

std::optional<Bytes> limit_in(Reading& reading, int group, const char* name) {
  const auto text = reading.files.read(group, name);
  return text ? parse_group_limit(*text) : std::nullopt;
}

std::optional<std::uint64_t> value_in(Reading& reading, int group, const char* name, const char* key) {
  const auto text = reading.files.read(group, name);
  return text ? value_of(*text, key) : std::nullopt;
}

void read_v1(Reading& reading, int group, GroupRow& row) {
  row.limit_bytes = limit_in(reading, group, "memory.limit_in_bytes");
  row.usage_bytes = count_in(reading, group, "memory.usage_in_bytes");
  row.failcnt = count_in(reading, group, "memory.failcnt");
  row.swap_limit_bytes = limit_in(reading, group, "memory.memsw.limit_in_bytes");
  row.swap_counts_memory = row.swap_limit_bytes.has_value();
  if (row.swap_limit_bytes) {
    row.swap_usage_bytes = count_in(reading, group, "memory.memsw.usage_in_bytes");
    row.swap_failcnt = count_in(reading, group, "memory.memsw.failcnt");
  }
  row.kernel_limit_bytes = limit_in(reading, group, "memory.kmem.limit_in_bytes");
  row.kernel_usage_bytes = count_in(reading, group, "memory.kmem.usage_in_bytes");
  if (const auto control = reading.files.read(group, "memory.oom_control")) {
    row.oom_kill_disabled = value_of(*control, "oom_kill_disable").value_or(0) != 0;
    row.under_oom = value_of(*control, "under_oom").value_or(0) != 0;
    row.oom_kills = value_of(*control, "oom_kill");
  }
}

void read_v2(Reading& reading, int group, GroupRow& row) {
  row.limit_bytes = limit_in(reading, group, "memory.max");
  row.usage_bytes = count_in(reading, group, "memory.current");
  row.swap_limit_bytes = limit_in(reading, group, "memory.swap.max");
  row.swap_usage_bytes = count_in(reading, group, "memory.swap.current");
  if (const auto events = reading.files.read(group, "memory.events")) {
    row.failcnt = value_of(*events, "max");
    row.oom_kills = value_of(*events, "oom_kill");
  }
}

void read_pids(Reading& reading, int group, GroupRow& row) {
  row.pids = count_in(reading, group, "pids.current");
  if (!row.pids) return;
  row.pids_limit = limit_in(reading, group, "pids.max");
  row.forks_refused = value_in(reading, group, "pids.events", "max");
}

int open_group(Reading& reading, const std::string& mount, std::string_view path) {
  std::array<char, 4096> whole{};
  if (mount.size() + path.size() >= whole.size()) return -1;
  std::snprintf(whole.data(), whole.size(), "%s%.*s", mount.c_str(), static_cast<int>(path.size()),
                path.data());
  return reading.files.open_directory(AT_FDCWD, whole.data());
}

/// A group that goes while it is read leaves its files without an answer.
bool is_gone(Reading& reading, const GroupRow& row) {
  if (row.usage_bytes || row.path == "/") return false;
  const int group = open_group(reading, reading.memory_mount, row.path);
  if (group < 0) return true;
  ::close(group);
  return false;
}

/// False when the group is gone.
bool read_counters(Reading& reading, GroupRow& row) {
  const int group = open_group(reading, reading.memory_mount, row.path);
  if (group < 0) return false;
  if (reading.look.cgroup_version == 1)
    read_v1(reading, group, row);
  else
    read_v2(reading, group, row);
  if (reading.look.cgroup_version == 2) read_pids(reading, group, row);
  ::close(group);
  if (is_gone(reading, row)) return false;
  if (reading.look.cgroup_version == 2 || reading.pids_mount.empty()) return true;
  const int pids = open_group(reading, reading.pids_mount, row.path);
  if (pids < 0) return true;
  read_pids(reading, pids, row);
  ::close(pids);
  return true;
}

void find_mounts(Reading& reading) {
  std::string unified;
  const std::string path = reading.options.paths.proc + "/self/mountinfo";
  reading.files.each_line(AT_FDCWD, path.c_str(), [&](std::string_view line) {
    if (reading.memory_mount.empty()) reading.memory_mount = cgroup_mount_point(line, "memory");
    if (reading.pids_mount.empty()) reading.pids_mount = cgroup_mount_point(line, "pids");
    if (unified.empty()) unified = cgroup_mount_point(line, "cgroup2");
  });
  reading.look.cgroup_version = 1;
  if (!reading.memory_mount.empty()) return;
  reading.memory_mount = unified;
  reading.look.cgroup_version = unified.empty() ? 0 : 2;
}

void name_container(Reading& reading, GroupRow& row) {
  row.pod_uid = pod_uid_of(row.path);
  const auto container = container_of_path(row.path);
  if (!container) return;
  row.inner = container_group(row.path) != row.path;
  row.container_id = reading.arena.keep(container->id);
  row.runtime = reading.arena.keep(container->runtime);
}

void add_children(Reading& reading, std::uint32_t parent) {
  const std::string_view above = reading.look.groups[parent].path;
  const int group = open_group(reading, reading.memory_mount, above);
  if (group < 0) return;
  reading.files.each_entry(group, [&](const char* name, bool is_directory) {
    if (!is_directory) return true;
    GroupRow row;
    const std::string path = (above == "/" ? "" : std::string(above)) + "/" + name;
    row.path = reading.arena.keep(path);
    row.parent = parent;
    if (row.path.size() == path.size()) reading.look.groups.push(row);
    return true;
  });
  ::close(group);
}

}  // namespace

double GroupRow::closeness() const {
  double closest = 0;
  const auto consider = [&closest](std::optional<std::uint64_t> usage,
                                   std::optional<std::uint64_t> limit) {
    if (usage && limit && *limit > 0)
      closest = std::max(closest, static_cast<double>(*usage) / static_cast<double>(*limit));
  };
  consider(usage_bytes, limit_bytes);
  // v2's swap.max is swap alone: to have it full is no trouble by itself.
  if (swap_counts_memory) consider(swap_usage_bytes, swap_limit_bytes);
  return closest;
}

double GroupRow::weight() const {
  const auto kills = static_cast<double>(oom_kills.value_or(0));
  const double growing = oom_kills_before && oom_kills && *oom_kills > *oom_kills_before ? 1000 : 0;
  return closeness() * 100 + growing + (under_oom ? 2000 : 0) + std::min(kills, 500.0) +
         10.0 * (d_threads + zombies);
}

void read_groups(Reading& reading, const Deadline& deadline) {
  find_mounts(reading);
  HostLook& look = reading.look;
  if (look.cgroup_version == 0) {
    note(look, "no memory cgroups are mounted here: containers are not seen");
    return;
  }
  GroupRow root;
  root.path = "/";
  look.groups.push(root);
  for (std::uint32_t i = 0; i < look.groups.size(); ++i) {
    if (deadline.passed()) {
      note(look,
           fmt::format("cgroups: {} of at least {} read in the time there is", i, look.groups.size()));
      return;
    }
    add_children(reading, i);
    name_container(reading, look.groups[i]);
    if (!read_counters(reading, look.groups[i])) ++look.vanished_groups;
  }
}

void read_groups_again(Reading& reading, const Deadline& deadline) {
  for (GroupRow& row : reading.look.groups.rows()) {
    if (deadline.passed()) return;
    if (row.path.empty() || (!row.limit_bytes && row.container_id.empty())) continue;
    const GroupRow before = row;
    if (!read_counters(reading, row)) {
      row = before;
      ++reading.look.vanished_groups;
      continue;
    }
    row.oom_kills_before = before.oom_kills;
  }
}

void read_group_parts(Reading& reading, const Deadline& deadline) {
  std::array<GroupRow*, kPartsOfWorst> worst{};
  std::size_t count = 0;
  for (GroupRow& row : reading.look.groups.rows()) {
    if (row.path.empty() || row.path == "/" || (!row.limit_bytes && row.container_id.empty())) continue;
    if (count == worst.size() && worst.back()->weight() >= row.weight()) continue;
    std::size_t at = count < worst.size() ? count++ : worst.size() - 1;
    for (; at > 0 && worst[at - 1]->weight() < row.weight(); --at) worst[at] = worst[at - 1];
    worst[at] = &row;
  }
  for (std::size_t i = 0; i < count && !deadline.passed(); ++i) {
    GroupRow& row = *worst[i];
    const int group = open_group(reading, reading.memory_mount, row.path);
    if (group < 0) continue;
    const auto stat = reading.files.read(group, "memory.stat");
    ::close(group);
    if (!stat) continue;
    const bool v1 = reading.look.cgroup_version == 1;
    const auto total = [&](const char* with_children, const char* own) {
      return value_of(*stat, v1 ? with_children : own).value_or(0);
    };
    row.anon_bytes = total("total_rss", "anon");
    row.shmem_bytes = total("total_shmem", "shmem");
    const Bytes file = total("total_cache", "file");
    row.file_bytes = file - std::min(file, row.shmem_bytes);
    row.kernel_bytes = v1 ? row.kernel_usage_bytes.value_or(0)
                          : value_of(*stat, "kernel").value_or(value_of(*stat, "slab").value_or(0));
    row.parts_known = true;
  }
}

}  // namespace offheap::host
