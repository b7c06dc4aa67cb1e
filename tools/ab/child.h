// SPDX-License-Identifier: Apache-2.0
//
// One command started in a session of its own, and waited for with what it cost. A command that is held
// at its exit is looked at while its memory still stands.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "procfs/text_file.h"

namespace offheap::ab {

using AtExit = std::function<void(bool by_signal)>;

struct ChildOptions {
  std::vector<std::string> command;      ///< found in PATH when its first word has no slash
  std::vector<std::string> environment;  ///< "NAME=value"
  int output = -1;                       ///< its stdout; -1 = /dev/null
  int errors = -1;                       ///< its stderr; -1 = /dev/null
  bool hold_at_exit = false;
};

struct ChildEnd {
  int status = 0;  ///< of wait4
  rusage usage{};  ///< the command and the descendants that it waited for
};

class Child {
 public:
  /// Starts the command; it is in a new session, so that a terminal's ^C is ours alone.
  ///
  /// Errors: kUsage when it cannot be executed, with the reason.
  /// Thread: the thread that starts a held child must be the one that waits for it (ptrace).
  static Result<Child> start(const ChildOptions& options);

  [[nodiscard]] pid_t pid() const { return pid_; }

  /// Why it is not held at its exit; empty when it is, or nobody asked.
  [[nodiscard]] const std::string& hold_problem() const { return hold_problem_; }

  /// Blocks until it has ended. `at_exit` is called once, while the process stands at its exit with all
  /// its memory: PTRACE_EVENT_EXIT of its main thread. Signals pass through untouched. `by_signal`: one
  /// of them ends it, so that it should not be kept waiting: the kernel may be out of memory.
  ///
  /// Source: ptrace(2), "PTRACE_EVENT_EXIT", "Group-stop"; wait4(2).
  ChildEnd wait(const AtExit& at_exit);

  /// Waits at most that long; nothing when it still runs. Not for a held child.
  std::optional<ChildEnd> wait_for(int timeout_ms);

  /// From just before exec to its exit, or until now.
  [[nodiscard]] double wall_seconds() const;

 private:
  Child(pid_t pid, Descriptor pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  pid_t pid_;
  Descriptor pidfd_;
  std::string hold_problem_;
  std::uint64_t begin_ns_ = 0;
  std::uint64_t end_ns_ = 0;
};

/// Watches a process that is not our child until it has ended, and calls `at_exit` as Child::wait does.
/// Where it cannot be traced it is only waited for; returns why, or "" when it was held.
std::string hold_at_exit(pid_t pid, const AtExit& at_exit);

}  // namespace offheap::ab
