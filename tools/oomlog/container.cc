// SPDX-License-Identifier: Apache-2.0
#include "oomlog/container.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "oomlog/text.h"

namespace offheap {
namespace {

constexpr std::size_t kShortestId = 6;

std::vector<std::string_view> components_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const auto slash = path.find('/');
    if (slash != 0) parts.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return parts;
}

bool is_id(std::string_view text, std::size_t shortest) {
  return text.size() >= shortest && text.size() <= 64 && std::all_of(text.begin(), text.end(), is_hex);
}

/// "docker-<id>.scope" and its kin with an id that was shortened.
std::optional<Container> short_container(std::string_view component) {
  const bool scope = component.ends_with(".scope");
  if (scope) component.remove_suffix(6);
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> prefixes = {
      {{"docker-", "docker"},
       {"cri-containerd-", "containerd"},
       {"crio-", "crio"},
       {"libpod-", "podman"}}};
  for (const auto& [prefix, runtime] : prefixes) {
    std::string_view id = component;
    if (!eat(id, prefix) || !is_id(id, scope ? kShortestId : 12)) continue;
    Container container;
    container.id = id;
    container.runtime = runtime;
    return container;
  }
  return {};
}

std::string with_dashes(std::string_view uid) {
  std::string text(uid);
  std::replace(text.begin(), text.end(), '_', '-');
  return text;
}

/// "pod<uid>", "kubepods-burstable-pod<uid with _>.slice", also before ":cri-containerd:".
std::string pod_of_component(std::string_view component) {
  component = before(component, ":");
  if (component.ends_with(".slice")) component.remove_suffix(6);
  const auto at = component.rfind("pod");
  if (at == std::string_view::npos) return {};
  if (at != 0 && !component.substr(0, at).starts_with("kubepods")) return {};
  const std::string uid = with_dashes(component.substr(at + 3));
  const bool shaped = uid.size() == 36 || uid.size() == 32;
  const bool plain = std::all_of(uid.begin(), uid.end(), [](char c) { return is_hex(c) || c == '-'; });
  return shaped && plain ? uid : std::string();
}

/// "/lxc/39004", "/lxc.payload.web", "machine-qemu...scope"
std::string outer_of(const std::vector<std::string_view>& parts) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    std::string_view part = parts[i];
    if (part == "lxc" && i + 1 < parts.size()) return std::string(parts[i + 1]);
    if (eat(part, "lxc.payload.")) return std::string(part);
    if (part.starts_with("machine-") && part.ends_with(".scope")) return unescape_unit(part);
  }
  return {};
}

}  // namespace

std::string unescape_unit(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("\\x2d")) {
      out.push_back('-');
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

GroupOwner owner_of_group(std::string_view path) {
  GroupOwner owner;
  const auto parts = components_of(path);
  owner.container = container_of_path(path);
  for (auto it = parts.rbegin(); it != parts.rend(); ++it) {
    if (!owner.container) owner.container = short_container(*it);
    if (owner.pod_uid.empty()) owner.pod_uid = pod_of_component(*it);
    const bool unit = it->ends_with(".service") || it->ends_with(".scope");
    if (unit && owner.unit.empty()) owner.unit = *it;
  }
  owner.outer = outer_of(parts);
  return owner;
}

std::string container_of_cpuset(std::string_view cpuset) {
  const auto owner = owner_of_group(cpuset);
  return owner.container ? owner.container->id : std::string();
}

std::string level_of_limit(std::string_view oom_memcg, std::string_view task_memcg) {
  if (oom_memcg.empty()) return {};
  const GroupOwner owner = owner_of_group(oom_memcg);
  const auto parts = components_of(oom_memcg);
  if (owner.container)
    return oom_memcg == task_memcg || task_memcg.starts_with(oom_memcg) ? "its container"
                                                                        : "another container";
  if (!owner.pod_uid.empty()) return "its pod, not the container alone";
  const std::string_view last = parts.empty() ? std::string_view() : parts.back();
  if (last.starts_with("kubepods") &&
      (last.find("burstable") != last.npos || last.find("besteffort") != last.npos))
    return "all pods of one class of service on the node";
  if (last.starts_with("kubepods")) return "all pods of the node (node allocatable)";
  if (!owner.outer.empty())
    return fmt::format("the LXC container or machine {} around it", owner.outer);
  if (oom_memcg == task_memcg) return "its own cgroup";
  return "a cgroup above its own";
}

}  // namespace offheap
