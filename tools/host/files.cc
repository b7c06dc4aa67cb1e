// SPDX-License-Identifier: Apache-2.0
#include "host/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace offheap::host {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
constexpr std::size_t kEntryBytes = 32 * 1024;

/// struct linux_dirent64, which has no declaration in every C library. Source: getdents64(2).
struct Entry {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t length;
  std::uint8_t type;
  char name[1];
};

ssize_t read_uninterrupted(int fd, char* into, std::size_t size) {
  ssize_t count = 0;
  do count = ::read(fd, into, size);
  while (count < 0 && errno == EINTR);
  return count;
}

}  // namespace

bool may_be_read(std::string_view name) {
  constexpr std::array<std::string_view, 5> kAnswered = {"stat", "cgroup", "wchan", "stack", "status"};
  return std::find(kAnswered.begin(), kAnswered.end(), name) != kAnswered.end();
}

bool stack_may_be_read(std::string_view kernel_release, std::string_view wait_channel) {
  int major = 0;
  int minor = 0;
  const char* end = kernel_release.data() + kernel_release.size();
  const auto first = std::from_chars(kernel_release.data(), end, major);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '.') return false;
  if (std::from_chars(first.ptr + 1, end, minor).ec != std::errc{}) return false;
  if (major < 5 || (major == 5 && minor < 7)) return false;
  for (const std::string_view part : {"exec", "binprm", "rwsem", "down_", "mmap_lock", "de_thread"})
    if (wait_channel.find(part) != std::string_view::npos) return false;
  return !wait_channel.empty();
}

Files::Files(Arena& arena)
    : buffer_(arena.array<char>(kBufferBytes)), entries_(arena.array<char>(kEntryBytes)) {}

void Files::count_failure(int error, const char* path) {
  if (error == ENOMEM || error == ENFILE || error == EMFILE) ++unread_.no_memory;
  if (error == ENOENT || error == ESRCH || error == ENODEV) ++unread_.vanished;
  if (error != EACCES && error != EPERM) return;
  if (unread_.denied++ == 0) unread_.first_denied = ShortText<120>(path);
}

int Files::open(int directory, const char* path, int flags) {
  const int fd = ::openat(directory, path, flags | O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) count_failure(errno, path);
  return fd;
}

int Files::open_directory(int directory, const char* path) {
  return open(directory, path, O_DIRECTORY);
}

std::optional<std::string_view> Files::read(int directory, const char* path) {
  const int fd = open(directory, path, 0);
  if (fd < 0) return {};
  std::size_t used = 0;
  ssize_t count = 1;
  while (used < buffer_.size()) {
    count = read_uninterrupted(fd, buffer_.data() + used, buffer_.size() - used);
    if (count <= 0) break;
    used += static_cast<std::size_t>(count);
  }
  if (count < 0) count_failure(errno, path);
  ::close(fd);
  if (count < 0) return {};
  return std::string_view(buffer_.data(), used);
}

bool Files::each_line(int directory, const char* path,
                      const std::function<void(std::string_view)>& line) {
  const int fd = open(directory, path, 0);
  if (fd < 0) return false;
  std::size_t held = 0;
  for (;;) {
    const ssize_t count = read_uninterrupted(fd, buffer_.data() + held, buffer_.size() - held);
    if (count < 0) count_failure(errno, path);
    if (count <= 0) break;
    std::string_view text(buffer_.data(), held + static_cast<std::size_t>(count));
    for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
      line(text.substr(0, end));
      text.remove_prefix(end + 1);
    }
    if (text.size() == buffer_.size()) {
      line(text);
      text = {};
    }
    held = text.size();
    if (held > 0) std::memmove(buffer_.data(), text.data(), held);
  }
  if (held > 0) line(std::string_view(buffer_.data(), held));
  ::close(fd);
  return true;
}

int Files::each_record(const char* path, const std::function<bool(std::string_view)>& record) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return errno;
  for (;;) {
    const ssize_t count = read_uninterrupted(fd, buffer_.data(), buffer_.size());
    if (count < 0 && errno == EPIPE)
      continue;  // records were overwritten meanwhile: goes on after them
    if (count <= 0 || !record({buffer_.data(), static_cast<std::size_t>(count)})) break;
  }
  ::close(fd);
  return 0;
}

void Files::each_entry(int directory,
                       const std::function<bool(const char* name, bool is_directory)>& entry) {
  for (;;) {
    const long count = ::syscall(SYS_getdents64, directory, entries_.data(), entries_.size());
    if (count < 0) count_failure(errno, "a directory");
    if (count <= 0) return;
    for (long at = 0; at < count;) {
      const auto* next = reinterpret_cast<const Entry*>(entries_.data() + at);
      at += next->length;
      const std::string_view name(next->name);
      if (name == "." || name == "..") continue;
      if (!entry(next->name, next->type == DT_DIR)) return;
    }
  }
}

}  // namespace offheap::host
