// SPDX-License-Identifier: Apache-2.0
//
// Reading files of /proc to their end: large steps, as seq_file writes whole records into what it gets.
#include "procfs/text_file.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <climits>

namespace offheap {

std::optional<std::string> read_text(int directory_fd, const char* name, std::size_t limit_bytes) {
  const Descriptor file(::openat(directory_fd, name, O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return std::nullopt;
  constexpr std::size_t kStep = 256 * 1024;
  std::string text;
  std::size_t used = 0;
  for (;;) {
    if (text.size() - used < kStep / 2) text.resize(used + kStep);
    const ssize_t count = ::read(file.get(), text.data() + used, text.size() - used);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) break;
    used += static_cast<std::size_t>(count);
    if (used > limit_bytes) {
      errno = EFBIG;
      return std::nullopt;
    }
  }
  text.resize(used);
  return text;
}

std::optional<std::string> read_link(int directory_fd, const char* name) {
  std::array<char, PATH_MAX> target{};
  const ssize_t count = ::readlinkat(directory_fd, name, target.data(), target.size());
  if (count < 0) return std::nullopt;
  return std::string(target.data(), static_cast<std::size_t>(count));
}

}  // namespace offheap
