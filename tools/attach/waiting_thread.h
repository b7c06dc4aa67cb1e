// SPDX-License-Identifier: Apache-2.0
//
// Which thread may be borrowed: one that waits in a system call in which it can hold no lock of the
// allocator or the loader, and that the kernel restarts after a stop. A guess wrong here is a deadlock
// in the target, so a thread counts only when it was found in the very same call twice.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "procfs/process.h"

namespace offheap {

struct WaitingThread {
  std::uint32_t tid = 0;
  long system_call = -1;
  std::array<std::uint64_t, 6> arguments{};
  Address stack_pointer = 0;
  Address instruction_pointer = 0;
  friend bool operator==(const WaitingThread&, const WaitingThread&) = default;
};

/// One line of /proc/PID/task/TID/syscall; nothing for a running thread or malformed text.
std::optional<WaitingThread> parse_waiting_thread(std::uint32_t tid, std::string_view text);

/// How good a system call is to be borrowed from: 0 is best. Nothing: harmful or unknown.
///
/// Shape: `file` is what /proc/PID/fd/N says of the first argument, for calls that take a descriptor: a
///        read of a regular file may be the loader's own.
std::optional<int> rank_of_wait(const WaitingThread& thread, std::string_view file);

/// "read", or "system call 999".
std::string system_call_name(long number);

/// The threads that may be borrowed, best first.
///
/// Errors: kUnreadable: the threads' system calls cannot be read (names the right), or none of them is
///         harmless; then it says what the threads do.
Result<std::vector<WaitingThread>> find_waiting_threads(const Process& process);

}  // namespace offheap
