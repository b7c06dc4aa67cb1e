// SPDX-License-Identifier: Apache-2.0
#include "attach/target_files.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "apart/target_file.h"

namespace offheap {
namespace {

/// The directory of that name below `root`.
Descriptor find_directory(int root, const std::string& path) {
  const Descriptor found = find_in_root(root, path);
  if (!found.valid()) return {};
  return Descriptor(::openat(found.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

}  // namespace

Result<Descriptor> open_directory_in_target(const Process& process, const std::string& path) {
  const Descriptor root = root_of(process);
  if (!root.valid()) return process.read_error("root", errno);
  Descriptor directory = find_directory(root.get(), path);
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
