// SPDX-License-Identifier: Apache-2.0
#include "attach/target_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>

namespace offheap {
namespace {

/// openat2 with the target's root as the root of every link; kernels before 5.6, and seccomp profiles
/// that do not know the call, get a plain openat that follows no link at the end of the path.
int open_below(int root, const char* path) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const long fd = ::syscall(SYS_openat2, root, path, &how, sizeof how);
  if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(fd);
  while (*path == '/') ++path;
  return ::openat(root, *path == '\0' ? "." : path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

}  // namespace

Result<Descriptor> open_directory_in_target(const Process& process, const std::string& path) {
  const Descriptor root(::openat(process.directory_fd(), "root", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return process.read_error("root", errno);
  Descriptor directory(open_below(root.get(), path.c_str()));
  if (!directory.valid())
    return Error{ErrorCode::kUnreadable,
                 fmt::format("cannot open a directory of the target: {}", std::strerror(errno)),
                 fmt::format("/proc/{}/root{}", process.pid(), path), ""};
  return directory;
}

Result<Descriptor> open_working_directory(const Process& process) {
  Descriptor directory(::openat(process.directory_fd(), "cwd", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return process.read_error("cwd", errno);
  return directory;
}

}  // namespace offheap
