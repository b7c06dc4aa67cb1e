// SPDX-License-Identifier: Apache-2.0
#include "ab/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <memory>
#include <optional>

#include "procfs/text_file.h"

namespace offheap::ab {
namespace {

std::optional<std::uint64_t> number_at(std::string_view text) {
  std::uint64_t value = 0;
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(" \t")));
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc{} ? std::optional(value) : std::nullopt;
}

/// "pid (comm) state ppid ...": the command may hold brackets.
std::optional<ParentOf> parse_parent(std::string_view stat) {
  const auto bracket = stat.rfind(')');
  if (bracket == std::string_view::npos || bracket + 4 > stat.size()) return {};
  const char state = stat[bracket + 2];
  const auto parent = number_at(stat.substr(bracket + 3));
  if (!parent) return {};
  return ParentOf{static_cast<pid_t>(*parent), state == 'Z' || state == 'X'};
}

}  // namespace

std::map<pid_t, ParentOf> read_parents() {
  std::map<pid_t, ParentOf> parents;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc"), ::closedir);
  if (!directory) return parents;
  while (const dirent* item = ::readdir(directory.get())) {
    const auto pid = number_at(item->d_name);
    if (!pid || item->d_name[0] < '0' || item->d_name[0] > '9') continue;
    const auto stat = read_text(::dirfd(directory.get()), fmt::format("{}/stat", *pid).c_str());
    if (!stat) continue;
    if (const auto parent = parse_parent(*stat)) parents[static_cast<pid_t>(*pid)] = *parent;
  }
  return parents;
}

std::vector<pid_t> descendants_of(const std::map<pid_t, ParentOf>& parents, pid_t root,
                                  const std::vector<pid_t>& excluded) {
  std::vector<pid_t> found;
  for (const auto& [pid, parent] : parents) {
    if (parent.ended || pid == root) continue;
    // Upwards from each; a parent may have a higher pid than its child, so one pass would not do.
    pid_t at = pid;
    for (std::size_t steps = 0; at > 0 && steps <= parents.size(); ++steps) {
      if (std::find(excluded.begin(), excluded.end(), at) != excluded.end()) break;
      const auto up = parents.find(at);
      at = up == parents.end() ? 0 : up->second.parent;
      if (at != root) continue;
      found.push_back(pid);
      break;
    }
  }
  return found;
}

Bytes resident_bytes(pid_t pid) {
  const auto statm = read_text(AT_FDCWD, fmt::format("/proc/{}/statm", pid).c_str());
  if (!statm) return 0;
  const auto blank = statm->find(' ');
  if (blank == std::string::npos) return 0;
  return number_at(std::string_view(*statm).substr(blank + 1)).value_or(0) * kPageBytes;
}

Bytes peak_resident_bytes(pid_t pid) {
  const auto status = read_text(AT_FDCWD, fmt::format("/proc/{}/status", pid).c_str());
  constexpr std::string_view kKey = "VmHWM:";
  const auto at = status ? status->find(kKey) : std::string::npos;
  if (at == std::string::npos) return 0;
  return number_at(std::string_view(*status).substr(at + kKey.size())).value_or(0) * 1024;
}

void signal_descendants(int signal) {
  for (const pid_t pid : descendants_of(read_parents(), ::getpid(), {})) ::kill(pid, signal);
}

std::size_t end_descendants() {
  std::size_t ended = 0;
  // A process may fork while it is being ended, so look until there is none.
  for (int i = 0; i < 1000; ++i) {
    while (::waitpid(-1, nullptr, WNOHANG | __WALL) > 0) {
    }
    const auto left = descendants_of(read_parents(), ::getpid(), {});
    if (left.empty()) break;
    ended = std::max(ended, left.size());
    for (const pid_t pid : left) ::kill(pid, SIGKILL);
    ::usleep(2000);
  }
  return ended;
}

}  // namespace offheap::ab
