// SPDX-License-Identifier: Apache-2.0
//
// Which tmpfs holds what: the mounts that a process sees, read through its root. Everything below that
// root is the target's to change while we look, so no link is followed and only tmpfs is entered.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <string>

#include "apart/target_file.h"
#include "container/group_memory.h"
#include "procfs/text_file.h"

namespace offheap {
namespace {

constexpr std::size_t kMostEntries = 20'000;
constexpr std::size_t kMostMounts = 64;
constexpr int kDeepest = 16;
constexpr std::size_t kFilesNamed = 3;
constexpr Bytes kLeastBytes = 64 * 1024;

struct Walk {
  dev_t device = 0;
  std::size_t left = kMostEntries;
  std::vector<NamedBytes> files;
};

void note_file(const std::string& name, const struct stat& about, Walk& walk) {
  const Bytes bytes = static_cast<Bytes>(std::max<blkcnt_t>(about.st_blocks, 0)) * 512;
  if (bytes < kLeastBytes) return;
  walk.files.push_back({name, bytes});
  std::sort(walk.files.begin(), walk.files.end(),
            [](const NamedBytes& a, const NamedBytes& b) { return a.bytes > b.bytes; });
  if (walk.files.size() > kFilesNamed) walk.files.resize(kFilesNamed);
}

void walk_directory(int fd, const std::string& name, int depth, Walk& walk) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(fd), ::closedir);
  if (!directory) {
    ::close(fd);
    return;
  }
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view last = entry->d_name;
    if (last == "." || last == "..") continue;
    if (walk.left == 0) return;
    --walk.left;
    struct stat about {};
    if (::fstatat(::dirfd(directory.get()), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (about.st_dev != walk.device) continue;
    const std::string path = fmt::format("{}/{}", name, last);
    if (S_ISREG(about.st_mode)) note_file(path, about, walk);
    if (!S_ISDIR(about.st_mode) || depth == kDeepest) continue;
    const int below = ::openat(::dirfd(directory.get()), entry->d_name,
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below >= 0) walk_directory(below, path, depth + 1, walk);
  }
}

std::optional<TmpfsUse> look_at(int pid, const std::string& mount, std::set<dev_t>& seen) {
  const Descriptor root(
      ::open(fmt::format("/proc/{}/root", pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const Descriptor found = root.valid() ? find_in_root(root.get(), mount) : Descriptor();
  const Descriptor top(
      found.valid() ? ::openat(found.get(), ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1);
  struct statfs space {};
  struct stat about {};
  if (!top.valid() || ::fstatfs(top.get(), &space) != 0 || ::fstat(top.get(), &about) != 0) return {};
  if (space.f_type != TMPFS_MAGIC || !seen.insert(about.st_dev).second) return {};
  TmpfsUse use;
  use.mount = mount;
  use.bytes = (space.f_blocks - std::min(space.f_blocks, space.f_bfree)) *
              static_cast<Bytes>(std::max<long>(space.f_bsize, 0));
  if (use.bytes < kLeastBytes) return {};
  Walk walk;
  walk.device = about.st_dev;
  const int fd = ::fcntl(top.get(), F_DUPFD_CLOEXEC, 0);
  if (fd >= 0) walk_directory(fd, mount, 0, walk);
  use.files = std::move(walk.files);
  return use;
}

/// Mount points of tmpfs in a mountinfo text. Those with escaped characters are left out.
std::vector<std::string> tmpfs_mounts(std::string_view text) {
  std::vector<std::string> mounts;
  while (!text.empty() && mounts.size() < kMostMounts) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (line.find(" - tmpfs ") != std::string_view::npos) {
      std::size_t at = 0;
      for (int field = 0; field < 4 && at != std::string_view::npos; ++field) {
        at = line.find(' ', at);
        if (at != std::string_view::npos) ++at;
      }
      if (at != std::string_view::npos) mounts.emplace_back(line.substr(at, line.find(' ', at) - at));
    }
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return mounts;
}

}  // namespace

std::vector<TmpfsUse> read_tmpfs(int pid) {
  std::vector<TmpfsUse> uses;
  const auto mountinfo = read_text(AT_FDCWD, fmt::format("/proc/{}/mountinfo", pid).c_str());
  if (!mountinfo) return uses;
  std::set<dev_t> seen;
  for (const std::string& mount : tmpfs_mounts(*mountinfo))
    if (auto use = look_at(pid, mount, seen)) uses.push_back(std::move(*use));
  std::stable_sort(uses.begin(), uses.end(),
                   [](const TmpfsUse& a, const TmpfsUse& b) { return a.bytes > b.bytes; });
  return uses;
}

}  // namespace offheap
