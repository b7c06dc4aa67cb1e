// SPDX-License-Identifier: Apache-2.0
//
// Work that may take long, hang or need memory, in a child of its own: the agent stays small and awake,
// and a child that is stuck in the kernel is given up. A child answers by messages, which may carry a
// descriptor.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "procfs/text_file.h"

namespace offheap {

struct JobMessage {
  std::string text;
  Descriptor descriptor;
};

/// The child's end.
class JobAnswer {
 public:
  explicit JobAnswer(int socket) : socket_(socket) {}
  /// At most 60 KiB of `text`; `descriptor` -1 = none.
  void send(const std::string& text, int descriptor = -1) const;

 private:
  int socket_;
};

class Job {
 public:
  /// Forks. The child ends with its work, with its parent, or by the deadline.
  ///
  /// Errors: kUnreadable when there is no room for another process.
  static Result<Job> start(const std::function<void(const JobAnswer&)>& work,
                           std::uint64_t deadline_ns);

  [[nodiscard]] int socket() const { return socket_.get(); }  ///< readable: a message, or the end
  [[nodiscard]] pid_t pid() const { return pid_; }

  /// The next message; nothing when there is none now.
  std::optional<JobMessage> receive();

  /// Whether all was said: the child closed its end, or died.
  [[nodiscard]] bool ended() const { return ended_; }

  /// Kills a child that is late. True when it was.
  bool kill_if_late(std::uint64_t now_ns);

  /// Waits for a child that has ended, without blocking.
  void reap() const;

 private:
  Job(pid_t pid, Descriptor socket, std::uint64_t deadline_ns)
      : pid_(pid), socket_(std::move(socket)), deadline_ns_(deadline_ns) {}
  pid_t pid_;
  Descriptor socket_;
  std::uint64_t deadline_ns_;
  bool ended_ = false;
};

}  // namespace offheap
