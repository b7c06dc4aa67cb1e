// SPDX-License-Identifier: Apache-2.0
//
// The pure half of cgroup.h: text in, structs out.
#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "cgroup/cgroup.h"

namespace offheap {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return {};
  return value;
}

bool is_container_id(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Container named(std::string_view id, std::string_view runtime) {
  Container container;
  container.id = id;
  container.runtime = runtime;
  return container;
}

/// "docker-<id>.scope", "cri-containerd-<id>.scope", "crio-<id>.scope", "libpod-<id>.scope", "<id>".
std::optional<Container> container_of_component(std::string_view component, std::string_view parent,
                                                bool kubernetes) {
  if (component.ends_with(".scope")) component.remove_suffix(6);
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> prefixes = {
      {{"docker-", "docker"},
       {"cri-containerd-", "containerd"},
       {"crio-", "crio"},
       {"libpod-", "podman"}}};
  for (const auto& [prefix, runtime] : prefixes) {
    if (!component.starts_with(prefix)) continue;
    const std::string_view id = component.substr(prefix.size());
    if (is_container_id(id)) return named(id, runtime);
  }
  // containerd's own cgroupfs driver writes "<namespace>:cri-containerd:<id>" or
  // ".../cri-containerd:<id>".
  if (const auto colon = component.rfind(':'); colon != std::string_view::npos) {
    const std::string_view id = component.substr(colon + 1);
    if (is_container_id(id)) return named(id, "containerd");
  }
  if (!is_container_id(component)) return {};
  for (std::string_view known : {"docker", "podman", "containerd", "crio"}) {
    if (parent.find(known) != std::string_view::npos) return named(component, known);
  }
  if (parent.find("libpod") != std::string_view::npos) return named(component, "podman");
  return named(component, kubernetes ? "kubernetes" : "unknown");
}

/// mountinfo writes blanks, tabs, newlines and backslashes as octal escapes.
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool octal = text[i] == '\\' && i + 3 < text.size() &&
                       std::all_of(text.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                   text.begin() + static_cast<std::ptrdiff_t>(i) + 4,
                                   [](char c) { return c >= '0' && c <= '7'; });
    if (!octal) {
      out.push_back(text[i]);
      continue;
    }
    out.push_back(
        static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0')));
    i += 3;
  }
  return out;
}

}  // namespace

std::optional<CgroupPath> parse_proc_cgroup(std::string_view text) {
  std::optional<CgroupPath> unified;
  for (std::string_view line : split(text, '\n')) {
    const auto first = line.find(':');
    const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string path(line.substr(second + 1));
    if (controllers.empty() && line.starts_with("0:")) unified = CgroupPath{2, path};
    for (std::string_view controller : split(controllers, ',')) {
      if (controller == "memory") return CgroupPath{1, path};
    }
  }
  return unified;
}

std::optional<CgroupMount> parse_cgroup_mount(std::string_view mountinfo, int version) {
  for (std::string_view line : split(mountinfo, '\n')) {
    const auto separator = line.find(" - ");
    if (separator == std::string_view::npos) continue;
    const auto before = split(line.substr(0, separator), ' ');
    const auto after = split(line.substr(separator + 3), ' ');
    if (before.size() < 5 || after.size() < 3) continue;
    const auto options = split(after[2], ',');
    const bool wanted = version == 2 ? after[0] == "cgroup2"
                                     : after[0] == "cgroup" && std::find(options.begin(), options.end(),
                                                                         "memory") != options.end();
    if (wanted) return CgroupMount{unescape(before[3]), unescape(before[4])};
  }
  return {};
}

std::optional<std::string> path_below_mount(const CgroupMount& mount, std::string_view path) {
  if (mount.root == "/") {
    // A path that begins with ".." lies outside of this cgroup namespace, which is all that "/" shows.
    if (path.starts_with("/..")) return {};
    return std::string(path);
  }
  if (!path.starts_with(mount.root)) return {};
  path.remove_prefix(mount.root.size());
  if (!path.empty() && path.front() != '/') return {};
  return std::string(path);
}

std::optional<std::string> group_of_directory(std::string_view mountinfo, std::string_view directory) {
  while (directory.size() > 1 && directory.ends_with('/')) directory.remove_suffix(1);
  for (std::string_view line : split(mountinfo, '\n')) {
    const auto separator = line.find(" - cgroup");
    if (separator == std::string_view::npos) continue;
    const auto before = split(line.substr(0, separator), ' ');
    if (before.size() < 5) continue;
    const std::string root = unescape(before[3]);
    const std::string point = unescape(before[4]);
    if (!directory.starts_with(point)) continue;
    const std::string_view below = directory.substr(point.size());
    if (!below.empty() && below.front() != '/') continue;
    const std::string path = (root == "/" ? "" : root) + std::string(below);
    return path.empty() ? "/" : path;
  }
  return {};
}

std::optional<Container> container_of_path(std::string_view path) {
  const auto components = split(path, '/');
  const bool kubernetes = path.find("kubepods") != std::string_view::npos;
  for (std::size_t i = components.size(); i-- > 0;) {
    const std::string_view parent = i > 0 ? components[i - 1] : std::string_view{};
    if (auto container = container_of_component(components[i], parent, kubernetes)) return container;
  }
  return {};
}

std::string_view container_group(std::string_view path) {
  const auto container = container_of_path(path);
  if (!container) return path;
  const auto end = path.find('/', path.rfind(container->id));
  return path.substr(0, end);
}

std::optional<Container> container_of_mounts(std::string_view mountinfo) {
  for (std::string_view line : split(mountinfo, '\n')) {
    const auto fields = split(line, ' ');
    if (fields.size() < 5 || fields[4] != "/etc/hostname") continue;
    const auto parts = split(fields[3], '/');
    for (std::size_t i = 1; i < parts.size(); ++i) {
      if (!is_container_id(parts[i])) continue;
      if (parts[i - 1] == "containers") return named(parts[i], "docker");
      if (parts[i - 1] == "overlay-containers") return named(parts[i], "podman");
    }
  }
  return {};
}

std::map<std::string, std::uint64_t> parse_flat_keyed(std::string_view text) {
  std::map<std::string, std::uint64_t> values;
  for (std::string_view line : split(text, '\n')) {
    const auto blank = line.find(' ');
    if (blank == std::string_view::npos || blank == 0) continue;
    if (auto value = parse_number(line.substr(blank + 1)))
      values[std::string(line.substr(0, blank))] = *value;
  }
  return values;
}

std::optional<Bytes> parse_limit(std::string_view text) {
  const auto value = parse_number(text);
  // v1 has no word for "no limit": it shows the largest page-aligned long.
  constexpr Bytes kNoLimitFrom = Bytes{1} << 62;
  if (!value || *value >= kNoLimitFrom) return {};
  return value;
}

Bytes Cgroup::stat_of(const std::string& key) const {
  const auto found = stat.find(key);
  return found == stat.end() ? 0 : found->second;
}

namespace {

/// The figure for the group and all below it, which is what the charge counts. v2 has no other.
Bytes subtree_stat(const Cgroup& cgroup, const std::string& key) {
  const auto total = cgroup.stat.find("total_" + key);
  return total == cgroup.stat.end() ? cgroup.stat_of(key) : total->second;
}

}  // namespace

Bytes Cgroup::anon_bytes() const { return subtree_stat(*this, version == 1 ? "rss" : "anon"); }

Bytes Cgroup::shmem_bytes() const { return subtree_stat(*this, "shmem"); }

Bytes Cgroup::file_bytes() const {
  // Both count shmem and the swap cache inside: v1 in "cache", v2 in "file".
  const Bytes file = subtree_stat(*this, version == 1 ? "cache" : "file");
  const Bytes others = shmem_bytes() + subtree_stat(*this, "swapcached");
  return file - std::min(file, others);
}

}  // namespace offheap
