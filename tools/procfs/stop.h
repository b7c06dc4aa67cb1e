// SPDX-License-Identifier: Apache-2.0
//
// All threads of a process, stopped for a moment. PTRACE_SEIZE leaves no trace: no signal is sent, the
// parent is not told, and if offheap dies the kernel lets the target run on. What the target can
// notice: a blocked epoll_wait returns EINTR, as it does after any stop.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "procfs/process.h"

namespace offheap {

/// While a Stop lives, no thread of the process runs user code. Destruction, or resume(), sets all
/// going.
class Stop {
 public:
  /// Stops every thread, those included that are created meanwhile.
  ///
  /// Errors: kUnreadable: the process is already traced (names the tracer), no permission (names the
  ///         missing right), the process exited, or a thread did not stop within a second.
  /// Thread: any; a thread of its own does the tracing, so the Stop may be passed between threads.
  /// Source: ptrace(2), "Attaching and detaching", "Group-stop", "Signal-delivery-stop".
  static Result<Stop> all_threads(const Process& process);

  Stop(Stop&&) noexcept;
  Stop& operator=(Stop&&) noexcept;
  ~Stop();

  /// Lets the threads run; idempotent. Returns pause_ns().
  std::uint64_t resume();

  /// From before the first thread was interrupted until after the last was let go: an upper bound of
  /// what any one thread lost. Until resume(), the time so far.
  [[nodiscard]] std::uint64_t pause_ns() const;

  [[nodiscard]] std::size_t thread_count() const;

 private:
  class Tracer;
  explicit Stop(std::unique_ptr<Tracer> tracer);
  std::unique_ptr<Tracer> tracer_;
};

/// While it lives, the thread that made it and those that it starts run before all others (SCHED_FIFO),
/// where that is permitted: on a busy host a stopped process would wait for all who wait for a core.
class Haste {
 public:
  Haste();
  Haste(const Haste&) = delete;
  Haste& operator=(const Haste&) = delete;
  ~Haste();

 private:
  bool hurried_;
};

/// The thread pointer (x86-64: fs base) of one thread, which is stopped for some microseconds to ask
/// it. Nothing when that is not permitted, or when the thread ends or sits uninterruptibly in the
/// kernel.
std::optional<Address> read_thread_pointer(const Process& process, std::uint32_t tid);

}  // namespace offheap
