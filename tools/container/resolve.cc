// SPDX-License-Identifier: Apache-2.0
#include "container/resolve.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <map>
#include <memory>

#include "apart/target_file.h"
#include "container/docker.h"
#include "container/group_memory.h"
#include "container/names.h"
#include "procfs/text_file.h"

namespace offheap {
namespace {

constexpr std::size_t kHostnameBytes = 255;

std::optional<int> number_of(std::string_view text) {
  int value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || value <= 0) return {};
  return value;
}

bool process_exists(int pid) {
  std::error_code ignored;
  return std::filesystem::exists(fmt::format("/proc/{}", pid), ignored);
}

/// Containers that have processes here, by id.
std::map<std::string, NamedContainer> running_containers() {
  std::map<std::string, NamedContainer> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  if (!proc) return found;
  while (const dirent* entry = ::readdir(proc.get())) {
    const auto pid = number_of(entry->d_name);
    if (!pid) continue;
    const std::string path = read_group_path(*pid);
    const auto container = container_of_path(path);
    if (!container) continue;
    NamedContainer& named = found[container->id];
    if (!named.group.empty()) continue;
    named.container = *container;
    named.group = path;
    // Kubernetes makes it the pod's name. An endless file there must not hold us.
    const Descriptor file = open_target_file(fmt::format("/proc/{}/root", *pid), "/etc/hostname");
    char text[kHostnameBytes + 1];
    const ssize_t count = file.valid() ? ::read(file.get(), text, sizeof text) : 0;
    std::string hostname(text, static_cast<std::size_t>(std::max<ssize_t>(0, count)));
    hostname.resize(std::min(hostname.size(), hostname.find('\n')));
    if (!hostname.empty()) named.names.push_back(hostname);
  }
  return found;
}

struct Known {
  std::vector<NamedContainer> containers;
  std::string looked_at;
};

Known known_containers() {
  auto running = running_containers();
  Known known;
  known.looked_at = fmt::format("the cgroups of all processes ({} containers)", running.size());
  const auto listed = list_docker_containers();
  if (!listed) {
    known.looked_at +=
        fmt::format("; Docker does not answer ({}: {})", listed.error().where, listed.error().what);
  } else {
    known.looked_at += fmt::format(" and at Docker's list ({})", listed->size());
    for (const DockerEntry& entry : *listed) {
      NamedContainer& named = running[entry.id];
      named.container.id = entry.id;
      named.container.runtime = "docker";
      named.container.image = entry.image;
      named.names.insert(named.names.begin(), entry.names.begin(), entry.names.end());
      named.state = entry.state;
    }
  }
  for (auto& [id, named] : running) known.containers.push_back(std::move(named));
  return known;
}

Result<ResolvedTarget> target_of_group(const std::string& group, std::optional<Container> container) {
  ResolvedTarget target;
  target.pids = pids_of_group(group);
  std::vector<ProcessUse> uses;
  for (int pid : target.pids)
    if (auto use = read_process_use(pid, false)) uses.push_back(std::move(*use));
  if (uses.empty()) {
    return Error{ErrorCode::kUnreadable, "no process runs in that cgroup", group,
                 "processes of another pid namespace are not seen from here: run on the host, or with "
                 "docker run --pid=container:NAME"};
  }
  const MainProcess chosen = choose_main_process(uses);
  target.pid = chosen.pid;
  target.choice = chosen.why;
  target.whole_group = true;
  target.container = std::move(container);
  if (!target.container) target.container = container_of_path(group);
  return target;
}

Result<ResolvedTarget> target_of_container(std::string_view text) {
  const Known known = known_containers();
  const auto position = match_container(text, known.containers, known.looked_at);
  if (!position) return position.error();
  const NamedContainer& named = known.containers[*position];
  if (named.group.empty()) {
    return Error{ErrorCode::kUnreadable, "the container has no process that is seen from here",
                 fmt::format("{} ({})", text, named.state),
                 "start it, or run offheap on the host or with docker run --pid=container:NAME"};
  }
  Container container = named.container;
  if (!named.names.empty()) container.name = named.names.front();
  return target_of_group(named.group, std::move(container));
}

ResolvedTarget target_of_pid(int pid) {
  ResolvedTarget target;
  target.pid = pid;
  target.pids = {pid};
  target.container = container_of_path(read_group_path(pid));
  return target;
}

Result<ResolvedTarget> target_of_path(std::string_view text) {
  const auto mountinfo = read_text(AT_FDCWD, "/proc/self/mountinfo");
  const auto below = mountinfo ? group_of_directory(*mountinfo, text) : std::nullopt;
  std::string group = below ? *below : std::string(text);
  while (group.size() > 1 && group.ends_with('/')) group.pop_back();
  auto target = target_of_group(group, {});
  if (target || below) return target;
  return Error{ErrorCode::kUsage, "neither a pid nor a recording nor a cgroup", std::string(text),
               "give a process id, a container, a *.offheap file, or a cgroup's path as /sys/fs/cgroup "
               "or /proc/PID/cgroup have it"};
}

ResolvedTarget with_details(ResolvedTarget target) {
  if (target.container) ask_docker_about(*target.container);
  return target;
}

}  // namespace

Result<ResolvedTarget> resolve_target(std::string_view text) {
  const auto number = number_of(text);
  if (number && process_exists(*number)) return with_details(target_of_pid(*number));
  std::error_code problem;
  const bool exists = !text.empty() && std::filesystem::exists(text, problem);
  const bool directory = exists && std::filesystem::is_directory(text, problem);
  if (exists && !directory) {
    ResolvedTarget target;
    target.recording = text;
    return target;
  }
  const bool path = text.starts_with('/');
  auto target = path ? target_of_path(text) : target_of_container(text);
  if (target) return with_details(std::move(*target));
  // A number that names nothing is a process that has ended: who opens it says so.
  if (number) return target_of_pid(*number);
  if (directory && target.error().code == ErrorCode::kUsage)
    return Error{ErrorCode::kUsage, "this is a directory", std::string(text),
                 "name one *.offheap file in it, or a cgroup's directory"};
  return target.error();
}

Result<ResolvedTarget> resolve_process(std::string_view text) {
  auto target = resolve_target(text);
  if (!target || target->pid != 0) return target;
  return Error{ErrorCode::kUsage, "this is a recording, not a process", std::string(text),
               "give a process id or a container"};
}

}  // namespace offheap
