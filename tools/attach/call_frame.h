// SPDX-License-Identifier: Apache-2.0
//
// What is laid out in the target for a call: a page of code, a stack, and on it the frame from which
// the kernel itself can put the thread back (rt_sigreturn), should offheap be gone by then. Pure: bytes
// and registers in, bytes and registers out.
#pragma once

#include <sys/user.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/units.h"

namespace offheap {

/// A thread as it was found: all that a call could change and that the kernel keeps.
struct SavedThread {
  user_regs_struct registers{};
  std::vector<std::byte> extended_state;
  std::uint64_t signal_mask = 0;
};

/// Where things are in the memory that is mapped for a call; lowest first.
struct CallArea {
  static constexpr Bytes kCodeBytes = kPageBytes;
  static constexpr Bytes kStackBytes = 256 * 1024;
  static constexpr Bytes kFrameBytes = 68 * 1024;  ///< control words, signal frame, extended state
  static constexpr Bytes kTextBytes = kPageBytes;
  static constexpr Bytes kTotalBytes = kCodeBytes + kStackBytes + kFrameBytes + kTextBytes;

  Address base = 0;
  [[nodiscard]] Range code() const { return {base, base + kCodeBytes}; }
  /// The stack pointer before the call: 16-aligned, and where rt_sigreturn looks for its frame.
  [[nodiscard]] Address stack_top() const { return base + kCodeBytes + kStackBytes; }
  /// Result, "returned" flag, and the time to wait for offheap.
  [[nodiscard]] Address control() const { return stack_top() + 1024; }
  [[nodiscard]] Address extended_state() const { return stack_top() + 2048; }
  [[nodiscard]] Range text() const { return {base + kTotalBytes - kTextBytes, base + kTotalBytes}; }
};

/// The control words, as the code finds them at rbx.
struct CallControl {
  std::uint64_t result = 0;
  std::uint64_t returned = 0;
  std::uint64_t wait_seconds = 0;
  std::uint64_t wait_microseconds = 0;
};

/// The code: call rax, leave the result and the flag at rbx, wait in select for offheap to take over,
/// else rt_sigreturn.
std::span<const std::byte> call_code();

/// The bytes from stack_top() on: the frame that puts `saved` back, and the extended state behind it.
///
/// Shape: a system call that the kernel would restart is restarted by going back to its instruction;
///        one with a time limit says EINTR instead, since its remaining time is the kernel's secret.
/// Source: sigreturn(2); kernel arch/x86/include/uapi/asm/sigcontext.h, arch/x86/kernel/fpu/signal.c.
std::vector<std::byte> return_frame(const CallArea& area, const SavedThread& saved);

/// The registers that start the code.
user_regs_struct call_registers(const CallArea& area, const SavedThread& saved, Address function,
                                std::span<const std::uint64_t> arguments);

/// The registers that make one system call by the instruction that the thread waited behind.
user_regs_struct system_call_registers(const SavedThread& saved, std::uint64_t number,
                                       std::span<const std::uint64_t> arguments);

}  // namespace offheap
