// SPDX-License-Identifier: Apache-2.0
#include "apart/target_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>

namespace offheap {
namespace {

/// One name after the other, none of them a link.
Descriptor walk(int root, const std::string& path) {
  Descriptor at(::openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (std::size_t begin = 0; begin < path.size() && at.valid();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    begin = end + 1;
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      errno = EXDEV;
      return {};
    }
    at = Descriptor(::openat(at.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  }
  return at;
}

/// What `found` holds, opened for reading, if it is a regular file.
Descriptor open_regular(const Descriptor& found) {
  if (!found.valid()) return {};
  struct stat status {};
  if (::fstat(found.get(), &status) != 0) return {};
  if (!S_ISREG(status.st_mode)) {
    errno = EINVAL;
    return {};
  }
  // The same file again, by its descriptor: the path may lead elsewhere by now. O_NONBLOCK: whoever
  // holds a lease on the file could make us wait.
  return Descriptor(::open(path_of(found).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

}  // namespace

Descriptor find_in_root(int root, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const long found = ::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
  if (found >= 0 || (errno != ENOSYS && errno != EPERM)) return Descriptor(static_cast<int>(found));
  return walk(root, path);
}

Descriptor open_target_file(const std::string& root, const std::string& path) {
  if (root.empty()) return open_regular(Descriptor(::open(path.c_str(), O_PATH | O_CLOEXEC)));
  const Descriptor directory(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  return directory.valid() ? open_regular(find_in_root(directory.get(), path)) : Descriptor();
}

Descriptor open_target_file(const Process& process, const std::string& path) {
  const Descriptor root = root_of(process);
  return root.valid() ? open_regular(find_in_root(root.get(), path)) : Descriptor();
}

Descriptor open_mapped_file(const Process& process, Range range) {
  const auto name = fmt::format("map_files/{:x}-{:x}", range.begin, range.end);
  return open_regular(Descriptor(::openat(process.directory_fd(), name.c_str(), O_PATH | O_CLOEXEC)));
}

Descriptor root_of(const Process& process) {
  return Descriptor(::openat(process.directory_fd(), "root", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

std::string path_of(const Descriptor& root) { return fmt::format("/proc/self/fd/{}", root.get()); }

}  // namespace offheap
