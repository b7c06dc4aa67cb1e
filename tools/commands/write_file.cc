// SPDX-License-Identifier: Apache-2.0
#include "commands/write_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <system_error>

namespace offheap {
namespace {

Error failed(const std::string& path) {
  return {ErrorCode::kUsage,
          fmt::format("the file cannot be written: {}", std::generic_category().message(errno)), path,
          "name a file that you may write, where there is room"};
}

/// Closes `fd` in any case. False: errno says why.
bool write_and_close(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int error = errno;
      close(fd);
      errno = error;
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return close(fd) == 0;
}

}  // namespace

Result<std::string> write_file(const std::string& path, const std::string& text) {
  struct stat there {};
  if (stat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode)) {
    const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || !write_and_close(fd, text)) return failed(path);
    return path;
  }
  std::string partial = path + ".XXXXXX";
  const int fd = mkostemp(partial.data(), O_CLOEXEC);  // O_EXCL and 0600
  if (fd < 0) return failed(path);
  if (write_and_close(fd, text) && std::rename(partial.c_str(), path.c_str()) == 0) return path;
  const int error = errno;
  unlink(partial.c_str());
  errno = error;
  return failed(path);
}

}  // namespace offheap
