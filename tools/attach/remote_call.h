// SPDX-License-Identifier: Apache-2.0
//
// Calls of functions in a running process. One thread that sits in a harmless system call is borrowed:
// it gets a stack of its own, calls, and is put back so that the kernel goes on with, or restarts, the
// system call as after any stop. The other threads run on meanwhile, so a lock that one of them holds
// is let go of.
//
// Whatever happens to offheap, the target survives: the return address leads to a few instructions that
// restore the thread without help (rt_sigreturn), should nobody be there any more to do it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "procfs/mapping.h"
#include "procfs/memory_reader.h"
#include "procfs/process.h"

namespace offheap {

struct RemoteCallOptions {
  std::uint64_t deadline_ns = 30'000'000'000;  ///< for each call
  bool loads_libraries = false;                ///< the call needs the system calls of dlopen too
};

class RemoteCaller {
 public:
  /// Borrows a thread, once everything that could harm the target has been ruled out.
  ///
  /// Errors: kUnreadable, each with a remedy: no right (names it), already traced (names the tracer),
  ///         stopped, zombie, 32-bit, static or musl, shadow stack (CET), a seccomp filter that denies
  ///         what a call needs or cannot be inspected, no thread in a harmless system call (says what
  ///         the threads do).
  /// Thread: all members and the destructor on the calling thread: ptrace belongs to it.
  /// Source: ptrace(2), sigreturn(2); kernel arch/x86/kernel/signal.c (system call restart).
  static Result<RemoteCaller> open(const Process& process, const RemoteCallOptions& options = {});

  RemoteCaller(RemoteCaller&&) noexcept;
  RemoteCaller& operator=(RemoteCaller&&) noexcept;
  /// Lets the thread go, with its registers, signals, errno and stack as they were.
  ~RemoteCaller();

  /// Calls `function` with up to six integer arguments and returns what it left in rax.
  ///
  /// Errors: kUnreadable: the call did not return in time (the thread goes back to its work by itself
  ///         once it does), it faulted, the process ended. No call is possible after any of them.
  Result<std::uint64_t> call(Address function, std::span<const std::uint64_t> arguments);

  /// Puts a text, terminated, where the target can read it until the thread is let go.
  Result<Address> put_text(std::string_view text);

  /// Lets the thread go; idempotent. Returns how long it was held.
  std::uint64_t release();

  [[nodiscard]] std::uint32_t tid() const;

  /// The name of the system call that the thread was found in, for reports.
  [[nodiscard]] std::string_view system_call() const;

 private:
  class Session;
  explicit RemoteCaller(std::unique_ptr<Session> session);
  std::unique_ptr<Session> session_;
};

/// The address of a function that the library mapped from `path` exports, read from the target's
/// memory; the default version where there are several.
///
/// Errors: kUnreadable when no such library is loaded, its tables make no sense, or it has no such
///         function.
Result<Address> find_exported(const MemoryReader& memory, std::span<const Mapping> mappings,
                              std::string_view path, std::string_view function);

/// The path of the C library in `mappings`: "libc.so.6" or "libc-2.NN.so"; empty when it has none.
std::string path_of_libc(std::span<const Mapping> mappings);

}  // namespace offheap
