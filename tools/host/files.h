// SPDX-License-Identifier: Apache-2.0
//
// Reading files and directories into one buffer that is there beforehand, and counting why others
// could not be read. Everything that a look opens is opened here, and nothing that would wait for a
// process's mmap_lock ever is: see may_be_read().
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "host/fixed.h"

namespace offheap::host {

/// What went wrong while files were read. Files that went with their process or cgroup are no fault.
struct Unread {
  std::uint64_t denied = 0;
  std::uint64_t vanished = 0;
  std::uint64_t no_memory = 0;  ///< the kernel had none left for opening them
  ShortText<120> first_denied;
};

/// Whether a look may read /proc/PID/`name`: only what the kernel answers without that process's
/// mmap_lock, which a process in reclaim can hold for good.
bool may_be_read(std::string_view name);

/// Whether the stack of a task that waits at `wait_channel` may be read. The kernel waits for a lock of
/// execve() first: up to 5.6 one that is held all through it, later one that is held while it waits for
/// the old memory. So never without the wait channel, and not of a task in execve().
///
/// Source: Linux fs/proc/base.c, lock_trace(); fs/exec.c, exec_mmap().
bool stack_may_be_read(std::string_view kernel_release, std::string_view wait_channel);

class Files {
 public:
  explicit Files(Arena& arena);

  /// The file below `directory` (AT_FDCWD for a whole path), valid until the next call; cut at the
  /// buffer's end. Nothing, and counted, when it cannot be read.
  std::optional<std::string_view> read(int directory, const char* path);

  /// Each line; one that is longer than the buffer in pieces. False when the file cannot be read.
  bool each_line(int directory, const char* path, const std::function<void(std::string_view)>& line);

  /// Each record of a device like /dev/kmsg, of which one is had by each read, until there is none more
  /// or `record` is false. An error number when it cannot be opened, else 0.
  int each_record(const char* path, const std::function<bool(std::string_view)>& record);

  /// A descriptor of a directory, or -1.
  int open_directory(int directory, const char* path);

  /// Each entry but "." and "..", and whether it is a directory. Ends early when `entry` is false.
  void each_entry(int directory, const std::function<bool(const char* name, bool is_directory)>& entry);

  [[nodiscard]] const Unread& unread() const { return unread_; }

 private:
  int open(int directory, const char* path, int flags);
  void count_failure(int error, const char* path);

  std::span<char> buffer_;
  std::span<char> entries_;
  Unread unread_;
};

}  // namespace offheap::host
