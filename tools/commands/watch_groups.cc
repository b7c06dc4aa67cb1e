// SPDX-License-Identifier: Apache-2.0
#include "commands/watch_groups.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "cgroup/cgroup.h"

namespace offheap {
namespace {

constexpr std::size_t kMostGroups = 20'000;
constexpr int kDeepest = 32;

/// A small file from its beginning; it stays open, so this is one system call.
std::optional<std::string> read_again(const Descriptor& file) {
  char text[4096];
  const ssize_t count = file.valid() ? ::pread(file.get(), text, sizeof text, 0) : -1;
  if (count < 0) return {};
  return std::string(text, static_cast<std::size_t>(count));
}

Descriptor open_in(const std::string& directory, const char* name, int flags) {
  return Descriptor(::open((directory + "/" + name).c_str(), flags | O_CLOEXEC));
}

class TreeReader {
 public:
  TreeReader(const MemoryHierarchy& hierarchy, GroupTree& tree) : hierarchy_(hierarchy), tree_(tree) {}

  void read(const std::string& below, int depth) {
    if (depth > kDeepest || ++seen_ > kMostGroups) return;
    const std::string directory = hierarchy_.mount + below;
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), ::closedir);
    if (!stream) return;
    const bool limited = take_limit(below, directory, ::dirfd(stream.get()));
    std::vector<std::string> children;
    while (const dirent* item = ::readdir(stream.get()))
      if (item->d_type == DT_DIR && item->d_name[0] != '.') children.emplace_back(item->d_name);
    if (!limited) tree_.parents.push_back(directory);
    for (const std::string& child : children) {
      std::string next = below;
      next += '/';
      next += child;
      read(next, depth + 1);
    }
  }

 private:
  bool take_limit(const std::string& below, const std::string& directory, int fd) {
    if (below.empty()) return false;  // the whole machine, or the container that we are in
    const auto text = read_text(fd, hierarchy_.version == 1 ? "memory.limit_in_bytes" : "memory.max");
    const auto limit = text ? parse_limit(*text) : std::nullopt;
    if (!limit || *limit == 0) return false;
    const std::string root = hierarchy_.root == "/" ? std::string() : hierarchy_.root;
    struct stat status {};
    if (::fstat(fd, &status) != 0) return false;
    tree_.limited.push_back({root + below, directory, *limit, status.st_ino});
    return true;
  }

  const MemoryHierarchy& hierarchy_;
  GroupTree& tree_;
  std::size_t seen_ = 0;
};

void add_pids(const std::string& directory, int depth, std::vector<int>& pids) {
  constexpr std::size_t kMostPids = 4096;
  const auto text = read_text(AT_FDCWD, (directory + "/cgroup.procs").c_str());
  std::string_view rest = text ? std::string_view(*text) : std::string_view();
  while (!rest.empty() && pids.size() < kMostPids) {
    int pid = 0;
    const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), pid);
    if (parsed.ec == std::errc{} && pid > 0) pids.push_back(pid);  // 0: of another pid namespace
    const auto end = rest.find('\n');
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), ::closedir);
  if (!stream || depth > kDeepest) return;
  while (const dirent* item = ::readdir(stream.get()))
    if (item->d_type == DT_DIR && item->d_name[0] != '.')
      add_pids(directory + "/" + item->d_name, depth + 1, pids);
}

}  // namespace

Result<MemoryHierarchy> find_memory_hierarchy() {
  const auto mountinfo = read_text(AT_FDCWD, "/proc/self/mountinfo");
  for (const int version : {1, 2}) {
    const auto mount = mountinfo ? parse_cgroup_mount(*mountinfo, version) : std::nullopt;
    if (!mount) continue;
    const std::string controllers = mount->point + "/cgroup.controllers";
    if (version == 2) {
      const auto text = read_text(AT_FDCWD, controllers.c_str());
      if (!text || text->find("memory") == std::string::npos) continue;
    }
    return MemoryHierarchy{version, mount->point, mount->root};
  }
  return Error{ErrorCode::kUnreadable, "no memory cgroups are mounted here", "/proc/self/mountinfo",
               "run on the host, or with --cgroupns=host and -v /sys/fs/cgroup:/sys/fs/cgroup"};
}

GroupTree read_group_tree(const MemoryHierarchy& hierarchy, const std::string& below) {
  GroupTree tree;
  TreeReader(hierarchy, tree).read(below, 0);
  return tree;
}

GroupFiles GroupFiles::open(const MemoryHierarchy& hierarchy, const FoundGroup& group) {
  GroupFiles files;
  files.version_ = hierarchy.version;
  files.directory_ = group.directory;
  if (hierarchy.version == 1) {
    files.usage_ = open_in(group.directory, "memory.usage_in_bytes", O_RDONLY);
    files.events_ = open_in(group.directory, "memory.oom_control", O_RDONLY);
    files.oom_ = Descriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!files.ask_v1(files.events_, files.oom_.get(), "")) files.oom_ = Descriptor();
    return files;
  }
  files.usage_ = open_in(group.directory, "memory.current", O_RDONLY);
  files.events_ = open_in(group.directory, "memory.events", O_RDONLY);
  // 150 ms of a second in which some task waited for memory.
  files.pressure_ = open_in(group.directory, "memory.pressure", O_RDWR | O_NONBLOCK);
  constexpr std::string_view kTrigger = "some 150000 1000000";
  if (files.pressure_.valid() &&
      ::write(files.pressure_.get(), kTrigger.data(), kTrigger.size() + 1) < 0)
    files.pressure_ = Descriptor();
  return files;
}

bool GroupFiles::ask_v1(const Descriptor& file, int event, const std::string& argument) const {
  if (!file.valid() || event < 0) return false;
  const Descriptor control = open_in(directory_, "cgroup.event_control", O_WRONLY);
  if (!control.valid()) return false;
  const std::string line = fmt::format("{} {} {}", event, file.get(), argument);
  return ::write(control.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

bool GroupFiles::ask_for_thresholds(const Levels& levels, Bytes limit_bytes) {
  if (version_ != 1) return false;
  // The old one ends with its registrations.
  thresholds_ = Descriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  for (const unsigned level : levels) {
    if (ask_v1(usage_, thresholds_.get(), std::to_string(share_of(limit_bytes, level)))) continue;
    thresholds_ = Descriptor();
    return false;
  }
  return true;
}

std::optional<Bytes> GroupFiles::usage() const {
  const auto text = read_again(usage_);
  return text ? parse_limit(*text) : std::nullopt;
}

std::optional<std::uint64_t> GroupFiles::kills() const {
  const auto text = read_again(events_);
  if (!text) return {};
  const auto fields = parse_flat_keyed(*text);
  const auto found = fields.find("oom_kill");
  return found == fields.end() ? std::optional<std::uint64_t>() : found->second;
}

std::vector<int> GroupFiles::pids() const {
  std::vector<int> pids;
  add_pids(directory_, 0, pids);
  return pids;
}

}  // namespace offheap
