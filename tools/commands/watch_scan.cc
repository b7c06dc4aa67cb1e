// SPDX-License-Identifier: Apache-2.0
//
// The agent's groups: found by a walk over the whole tree now and then, and in between by inotify,
// which says where one appeared or went, so that only that place is read.
#include <fnmatch.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "commands/look.h"
#include "commands/watch_agent.h"
#include "container/docker.h"
#include "container/group_memory.h"

namespace offheap {
namespace {

constexpr std::uint64_t kScan_ns = 10'000'000'000;
/// A container's limit is written after its group is made; on a busy host, a while after.
constexpr std::uint64_t kReadFresh_ns[] = {150'000'000, 1'150'000'000};
constexpr std::size_t kMostFresh = 256;

}  // namespace

void WatchAgent::on_inotify() {
  alignas(inotify_event) char buffer[16384];
  ssize_t count = 0;
  while ((count = ::read(inotify_.get(), buffer, sizeof buffer)) > 0) {
    for (ssize_t at = 0; at < count;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      if ((event->mask & IN_Q_OVERFLOW) != 0) next_scan_ns_ = monotonic_ns();
      const auto found = by_watch_.find(event->wd);
      if (const auto group = found == by_watch_.end() ? nullptr : found->second.lock()) {
        sample(group);
        count_kills(*group);
      } else if (const auto parent = watched_parents_.find(event->wd);
                 parent != watched_parents_.end()) {
        on_parent(parent->second, event->mask, event->len > 0 ? event->name : "");
        if ((event->mask & IN_IGNORED) != 0) watched_parents_.erase(parent);
      }
    }
  }
}

void WatchAgent::on_parent(const std::string& parent, std::uint32_t mask, const std::string& name) {
  if (name.empty()) return;
  std::string directory = parent;
  directory += '/';
  directory += name;
  if ((mask & IN_DELETE) != 0) {
    for (const auto& [path, group] : groups_)
      if (group->found.directory == directory) vanished_.push_back(group);
  }
  if ((mask & IN_CREATE) == 0) return;
  if (fresh_.size() >= kMostFresh) {
    next_scan_ns_ = std::min(next_scan_ns_, monotonic_ns() + kReadFresh_ns[0]);
    return;
  }
  const std::string below = directory.substr(hierarchy_.mount.size());
  for (const std::uint64_t later_ns : kReadFresh_ns)
    fresh_.push_back({below, monotonic_ns() + later_ns});
}

void WatchAgent::scan() {
  const GroupTree tree = read_group_tree(hierarchy_);
  std::set<std::string> present;
  for (const FoundGroup& found : tree.limited) present.insert(found.path);
  for (auto at = groups_.begin(); at != groups_.end();) {
    if (!present.contains(at->first)) leave(at->second);
    at = present.contains(at->first) ? std::next(at) : groups_.erase(at);
  }
  take_tree(tree);
  next_scan_ns_ = monotonic_ns() + kScan_ns;
}

void WatchAgent::read_fresh(std::uint64_t now_ns) {
  for (const Fresh& fresh : fresh_)
    if (now_ns >= fresh.read_ns) take_tree(read_group_tree(hierarchy_, fresh.below));
  std::erase_if(fresh_, [now_ns](const Fresh& fresh) { return now_ns >= fresh.read_ns; });
}

void WatchAgent::take_tree(const GroupTree& tree) {
  docker_names_.reset();
  for (const FoundGroup& found : tree.limited) {
    const auto known = groups_.find(found.path);
    if (known != groups_.end() && known->second->found.inode == found.inode) {
      take_limit(known->second, found.limit_bytes);
      continue;
    }
    if (!is_wanted(found)) continue;
    if (known != groups_.end()) {
      leave(known->second);
      groups_.erase(known);
    }
    follow(found);
  }
  // One watch a directory that may get groups; asked for again it is the same, and the kernel drops it
  // with the directory.
  for (const std::string& parent : tree.parents) {
    const int watch =
        ::inotify_add_watch(inotify_.get(), parent.c_str(), IN_CREATE | IN_DELETE | IN_ONLYDIR);
    if (watch >= 0) watched_parents_[watch] = parent;
  }
}

void WatchAgent::take_limit(const std::shared_ptr<Group>& group, Bytes limit_bytes) {
  if (group->found.limit_bytes == limit_bytes) return;
  group->found.limit_bytes = limit_bytes;
  by_fd_.erase(group->files.threshold_event());
  group->files.ask_for_thresholds(options_.levels, limit_bytes);
  if (group->files.threshold_event() >= 0) by_fd_[group->files.threshold_event()] = group;
  add_source(group->files.threshold_event());
}

bool WatchAgent::is_wanted(const FoundGroup& found) {
  if (options_.containers.empty()) return true;
  const char* pattern = options_.containers.c_str();
  if (::fnmatch(pattern, found.path.c_str(), 0) == 0) return true;
  const auto container = container_of_path(found.path);
  if (!container) return false;
  if (container->id.starts_with(options_.containers)) return true;
  // Once a walk: names may change, and there may be many containers that are not wanted.
  if (!docker_names_) {
    auto listed = list_docker_containers();
    docker_names_ = listed ? std::move(*listed) : std::vector<DockerEntry>();
  }
  for (const DockerEntry& entry : *docker_names_)
    for (const std::string& name : entry.names)
      if (entry.id == container->id && ::fnmatch(pattern, name.c_str(), 0) == 0) return true;
  return false;
}

void WatchAgent::follow(const FoundGroup& found) {
  auto group = std::make_shared<Group>(Group{.found = found,
                                             .files = GroupFiles::open(hierarchy_, found),
                                             .policy = ThresholdPolicy(options_.levels)});
  group->files.ask_for_thresholds(options_.levels, found.limit_bytes);
  for (const int fd : {group->files.threshold_event(), group->files.oom_event()}) {
    add_source(fd);
    if (fd >= 0) by_fd_[fd] = group;
  }
  if (group->files.pressure() >= 0) {
    add_source(group->files.pressure(), EPOLLPRI);
    by_fd_[group->files.pressure()] = group;
  }
  if (hierarchy_.version == 2) {
    group->events_watch =
        ::inotify_add_watch(inotify_.get(), (found.directory + "/memory.events").c_str(), IN_MODIFY);
    if (group->events_watch >= 0) by_watch_[group->events_watch] = group;
  }
  group->kills_counted = group->files.kills();
  groups_[found.path] = group;
  sample(group);
}

void WatchAgent::leave(const std::shared_ptr<Group>& group) {
  for (const int fd :
       {group->files.threshold_event(), group->files.oom_event(), group->files.pressure()})
    by_fd_.erase(fd);
  by_watch_.erase(group->events_watch);
  group->files = GroupFiles();
  group->gone_ns = monotonic_ns();
  gone_.push_back(group);
}

void WatchAgent::leave_vanished() {
  for (const auto& group : std::exchange(vanished_, {})) {
    const auto known = groups_.find(group->found.path);
    if (known == groups_.end() || known->second != group) continue;
    struct stat status {};
    const bool there = ::stat(group->found.directory.c_str(), &status) == 0;
    if (there && status.st_ino == group->found.inode) continue;  // its files may not be read
    leave(group);
    groups_.erase(known);
  }
}

}  // namespace offheap
