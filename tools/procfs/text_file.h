// SPDX-License-Identifier: Apache-2.0
//
// Whole small files and owned descriptors: what every reader of /proc needs and nothing more.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace offheap {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

constexpr std::size_t kTextFileLimitBytes = std::size_t{16} << 20;

/// The whole file `name` below the directory `directory_fd` (AT_FDCWD for a path), or nothing with
/// errno set: EFBIG where there is more than `limit_bytes`. Files of /proc have no size, so it reads
/// until the end, which a process may move: its command line can be all of its address space.
std::optional<std::string> read_text(int directory_fd, const char* name,
                                     std::size_t limit_bytes = kTextFileLimitBytes);

/// What the symbolic link says, or nothing with errno set.
std::optional<std::string> read_link(int directory_fd, const char* name);

}  // namespace offheap
