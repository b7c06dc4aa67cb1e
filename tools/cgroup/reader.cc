// SPDX-License-Identifier: Apache-2.0
//
// The half of cgroup.h that opens files. The target's path is as the reader's own cgroup namespace
// shows it, and so are the roots of all mounts, the target's too.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cgroup/cgroup.h"

namespace offheap {
namespace {

std::string slurp(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return file ? text.str() : std::string{};
}

Bytes number_in(const std::filesystem::path& path) { return parse_limit(slurp(path)).value_or(0); }

void lower(std::optional<Bytes>& limit, std::optional<Bytes> other) {
  if (other && (!limit || *other < *limit)) limit = other;
}

void read_v1(const std::filesystem::path& group, Cgroup& out) {
  out.limit_bytes = parse_limit(slurp(group / "memory.limit_in_bytes"));
  out.stat = parse_flat_keyed(slurp(group / "memory.stat"));
  if (const auto found = out.stat.find("hierarchical_memory_limit"); found != out.stat.end()) {
    lower(out.limit_bytes, parse_limit(std::to_string(found->second)));
  }
  out.usage_bytes = number_in(group / "memory.usage_in_bytes");
  out.peak_usage_bytes = number_in(group / "memory.max_usage_in_bytes");
  out.failcnt = number_in(group / "memory.failcnt");
  out.kernel_bytes = number_in(group / "memory.kmem.usage_in_bytes");
  const auto control = parse_flat_keyed(slurp(group / "memory.oom_control"));
  if (const auto found = control.find("oom_kill"); found != control.end())
    out.oom_kills = found->second;
  const auto both_limit = parse_limit(slurp(group / "memory.memsw.limit_in_bytes"));
  const Bytes both_usage = number_in(group / "memory.memsw.usage_in_bytes");
  if (both_limit && out.limit_bytes)
    out.swap_limit_bytes = *both_limit - std::min(*both_limit, *out.limit_bytes);
  out.swap_usage_bytes = both_usage - std::min(both_usage, out.usage_bytes);
}

void read_v2(const std::filesystem::path& mount, const std::filesystem::path& group, Cgroup& out) {
  for (auto level = group;; level = level.parent_path()) {
    lower(out.limit_bytes, parse_limit(slurp(level / "memory.max")));
    if (level == mount || level == level.parent_path()) break;
  }
  out.usage_bytes = number_in(group / "memory.current");
  out.peak_usage_bytes = number_in(group / "memory.peak");
  out.stat = parse_flat_keyed(slurp(group / "memory.stat"));
  out.kernel_bytes = out.stat_of("kernel");
  const auto events = parse_flat_keyed(slurp(group / "memory.events"));
  if (const auto found = events.find("max"); found != events.end()) out.failcnt = found->second;
  if (const auto found = events.find("oom_kill"); found != events.end()) out.oom_kills = found->second;
  out.swap_limit_bytes = parse_limit(slurp(group / "memory.swap.max"));
  out.swap_usage_bytes = number_in(group / "memory.swap.current");
}

struct Place {
  std::filesystem::path mount;
  std::filesystem::path group;
};

std::optional<Place> place_in(const std::string& mountinfo, const std::string& prefix, int version,
                              std::string_view path) {
  const auto mount = parse_cgroup_mount(slurp(mountinfo), version);
  if (!mount) return {};
  const auto below = path_below_mount(*mount, path);
  if (!below) return {};
  const std::filesystem::path point(prefix + mount->point);
  const auto group = point / std::filesystem::path(*below).relative_path();
  std::error_code ignored;
  if (!std::filesystem::is_directory(group, ignored)) return {};
  return Place{point, group};
}

/// In our own mount of the hierarchy; where that shows only our own container, in the target's.
std::optional<Place> find_place(int pid, int version, std::string_view path) {
  const std::string proc = "/proc/" + std::to_string(pid);
  auto place = place_in("/proc/self/mountinfo", "", version, path);
  if (!place) place = place_in(proc + "/mountinfo", proc + "/root", version, path);
  return place;
}

}  // namespace

Result<Cgroup> read_cgroup(int pid) {
  const std::string proc = "/proc/" + std::to_string(pid) + "/cgroup";
  const auto path = parse_proc_cgroup(slurp(proc));
  if (!path) {
    return Error{ErrorCode::kUnreadable, "cannot read the memory cgroup", proc,
                 "the process is gone, or this kernel has no cgroups"};
  }
  const std::string_view own_group = container_group(path->path);
  const auto place = find_place(pid, path->version, own_group);
  if (!place) {
    return Error{ErrorCode::kUnreadable, "no mount here or in the target shows its memory cgroup",
                 path->path, "mount /sys/fs/cgroup, or run on the host"};
  }
  Cgroup cgroup;
  cgroup.version = path->version;
  cgroup.path = own_group;
  cgroup.directory = place->group.string();
  cgroup.container = container_of_path(path->path);
  if (!cgroup.container)
    cgroup.container = container_of_mounts(slurp("/proc/" + std::to_string(pid) + "/mountinfo"));
  if (path->version == 1) {
    read_v1(place->group, cgroup);
  } else {
    read_v2(place->mount, place->group, cgroup);
  }
  if (cgroup.usage_bytes == 0 && cgroup.stat.empty()) {
    return Error{ErrorCode::kUnreadable, "the memory controller says nothing", cgroup.directory,
                 "the group is the root, or the memory controller is not enabled for it"};
  }
  return cgroup;
}

std::string read_group_path(int pid) {
  const auto path = parse_proc_cgroup(slurp("/proc/" + std::to_string(pid) + "/cgroup"));
  return path ? std::string(container_group(path->path)) : std::string{};
}

}  // namespace offheap
