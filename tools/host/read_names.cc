// SPDX-License-Identifier: Apache-2.0
//
// What containers are called. Files first, since they answer when a daemon hangs: Docker's own of each
// container, then the directories that the kubelet keeps logs in. Docker's socket last, with a timeout.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "container/docker.h"
#include "container/http.h"
#include "host/parse.h"
#include "host/read.h"

namespace offheap::host {
namespace {

constexpr std::uint64_t kSocketTimeout_ns = 300'000'000;

bool is_docker(const GroupRow& row) {
  return !row.container_id.empty() && !row.inner &&
         (row.runtime == "docker" || row.runtime == "unknown" || row.runtime == "kubernetes");
}

/// Whether Docker's files of this container are below `root`.
bool read_docker_files(Reading& reading, std::string_view root, GroupRow& row) {
  std::array<char, 512> path{};
  const auto file = [&](const char* name) {
    std::snprintf(path.data(), path.size(), "%.*s/containers/%.*s/%s", static_cast<int>(root.size()),
                  root.data(), static_cast<int>(row.container_id.size()), row.container_id.data(),
                  name);
    return path.data();
  };
  const auto text = reading.files.read(AT_FDCWD, file("config.v2.json"));
  const auto config = text ? parse_docker_config(*text, reading.arena) : std::nullopt;
  if (!config) return false;
  row.name = config->name;
  row.state = config->state;
  row.restarts = config->restarts;
  row.exit_code = config->exit_code;
  row.runtime = "docker";
  if (const auto host = reading.files.read(AT_FDCWD, file("hostconfig.json"))) {
    const auto settings = parse_docker_host_config(*host, reading.arena);
    row.restart_policy = settings.restart_policy;
    if (row.path.empty()) row.limit_bytes = settings.limit_bytes;
  }
  return true;
}

/// Rows of containers that wait for their next start: between two lives a container has no cgroup.
void add_waiting(Reading& reading, const std::string& root, const Deadline& deadline) {
  HostLook& look = reading.look;
  const int directory = reading.files.open_directory(AT_FDCWD, (root + "/containers").c_str());
  if (directory < 0) return;
  const std::size_t known = look.groups.size();
  reading.files.each_entry(directory, [&](const char* id, bool) {
    const auto rows = look.groups.rows().first(known);
    const std::string_view wanted(id);
    if (std::any_of(rows.begin(), rows.end(),
                    [&](const GroupRow& row) { return row.container_id == wanted; }))
      return true;
    GroupRow row;
    row.container_id = wanted;
    if (read_docker_files(reading, root, row) && row.state == "restarting") {
      row.container_id = reading.arena.keep(wanted);
      look.groups.push(row);
    }
    return !deadline.passed();
  });
  ::close(directory);
}

/// The directory that the daemon keeps its files in, by the daemon.
std::string docker_root_by_socket(HostLook& look) {
  const auto socket = docker_socket();
  if (!socket) return {};
  const auto answer = http_get(*socket, "/info", kSocketTimeout_ns);
  if (!answer || answer->status != 200) {
    note(look,
         "no names of Docker's containers: its files are not below /var/lib/docker, and its socket: " +
             (answer ? std::string("refuses") : answer.error().what));
    return {};
  }
  constexpr std::string_view kKey = "\"DockerRootDir\":\"";
  const auto at = answer->body.find(kKey);
  if (at == std::string::npos) return {};
  const std::string_view rest = std::string_view(answer->body).substr(at + kKey.size());
  return std::string(rest.substr(0, rest.find('"')));
}

void read_docker(Reading& reading, const Deadline& deadline) {
  std::string root = reading.options.paths.docker_root;
  bool asked = !reading.options.ask_docker;
  std::size_t nameless = 0;
  for (GroupRow& row : reading.look.groups.rows()) {
    if (!is_docker(row)) continue;
    if (deadline.passed()) {
      note(reading.look, "names of containers: not all read in the time there is");
      return;
    }
    if (read_docker_files(reading, root, row)) continue;
    if (!asked && row.runtime == "docker") {
      asked = true;
      const std::string other = docker_root_by_socket(reading.look);
      if (!other.empty()) root = other;
      if (!other.empty() && read_docker_files(reading, root, row)) continue;
    }
    if (row.runtime == "docker") ++nameless;
  }
  if (!asked && ::access((root + "/containers").c_str(), F_OK) != 0) {
    const auto socket = docker_socket();
    const bool answers = socket && ::access(socket->c_str(), W_OK) == 0;
    const std::string other = answers ? docker_root_by_socket(reading.look) : std::string();
    if (!other.empty()) root = other;
  }
  add_waiting(reading, root, deadline);
  if (nameless > 0)
    note(reading.look, fmt::format("{} of Docker's containers go by their ids: no {}/containers/ID/"
                                   "config.v2.json can be read",
                                   nameless, root));
}

/// The container directories of a pod: the one name if there is one, and the restarts of all.
void read_pod(Reading& reading, int pods, const char* directory, std::string_view pod, GroupRow& row) {
  const int inside = reading.files.open_directory(pods, directory);
  if (inside < 0) return;
  std::size_t containers = 0;
  std::array<char, 256> only{};
  reading.files.each_entry(inside, [&](const char* name, bool) {
    if (++containers == 1) std::snprintf(only.data(), only.size(), "%s", name);
    return true;
  });
  std::string label(pod);
  if (containers == 1 && !row.container_id.empty()) {
    label += std::string("/") + only.data();
    const int logs = reading.files.open_directory(inside, only.data());
    if (logs >= 0) {
      // N.log is written by the container's Nth restart.
      reading.files.each_entry(logs, [&](const char* name, bool) {
        std::uint64_t number = 0;
        const std::string_view text(name);
        const auto parsed = std::from_chars(name, name + text.size(), number);
        if (parsed.ec == std::errc{} && std::string_view(parsed.ptr) == ".log")
          row.restarts = std::max(row.restarts.value_or(0), number);
        return true;
      });
      ::close(logs);
    }
  }
  ::close(inside);
  row.name = reading.arena.keep(label);
}

void read_pods(Reading& reading, const Deadline& deadline) {
  bool any = false;
  for (const GroupRow& row : reading.look.groups.rows())
    any = any || (!row.pod_uid.empty() && row.name.empty());
  if (!any) return;
  const int pods = reading.files.open_directory(AT_FDCWD, reading.options.paths.pods.c_str());
  if (pods < 0) {
    note(reading.look, "pods go by their uids: " + reading.options.paths.pods + " cannot be read");
    return;
  }
  // Names first: reading a pod's own directory uses the buffer that this list is in.
  const auto names = reading.arena.array<std::string_view>(reading.look.groups.size());
  std::size_t count = 0;
  reading.files.each_entry(pods, [&](const char* name, bool) {
    const auto pod = parse_pod_directory(name);
    if (!pod || count == names.size()) return true;
    for (const GroupRow& row : reading.look.groups.rows())
      if (row.pod_uid.view() == pod->uid) {
        names[count] = reading.arena.keep(std::string(name) + '\0');
        ++count;
        break;
      }
    return count < names.size();
  });
  for (std::size_t i = 0; i < count && !deadline.passed(); ++i) {
    const auto pod = parse_pod_directory(names[i].substr(0, names[i].size() - 1));
    if (!pod) continue;
    for (GroupRow& row : reading.look.groups.rows()) {
      if (row.pod_uid.view() != pod->uid || row.inner || !row.name.empty()) continue;
      const std::string label = std::string(pod->space) + "/" + std::string(pod->pod);
      read_pod(reading, pods, names[i].data(), label, row);
    }
  }
  ::close(pods);
}

}  // namespace

std::string path_label(std::string_view path) {
  const auto container = container_of_path(path);
  return container ? container->id.substr(0, 12) : std::string(path);
}

std::string group_label(const HostLook& look, std::uint32_t group) {
  if (group == kNoGroup || group >= look.groups.size()) return "host";
  const GroupRow* row = &look.groups[group];
  while (row->inner && row->parent != kNoGroup) row = &look.groups[row->parent];
  if (!row->name.empty()) return std::string(row->name);
  if (!row->container_id.empty()) return std::string(row->container_id.substr(0, 12));
  return row->path == "/" ? "host" : std::string(row->path);
}

void read_names(Reading& reading, const Deadline& deadline) {
  read_docker(reading, deadline);
  read_pods(reading, deadline);
}

}  // namespace offheap::host
