// SPDX-License-Identifier: Apache-2.0
//
// `offheap attach`: the recording shim brought into a process that already runs, and taken out of its
// way again. It changes the target, and says what it did.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace offheap {

struct AttachOptions {
  std::string target;  ///< a pid or a container
  std::string sample;  ///< mean bytes between samples; empty = adaptive
  bool detach = false;
  bool inject = false;  ///< by ptrace, without a JVM's help
};

struct AttachReport {
  int pid = 0;
  std::string command;
  std::string means;  ///< how the library was reached, a sentence
  std::string note;   ///< what else is to be known; may be empty
  bool loaded_before = false;
  std::uint64_t duration_ns = 0;
};

/// Errors: kUnreadable with a remedy for everything that stands in the way: rights, musl, a static
///         program, no JVM (then --inject), a JVM that refuses, no directory for the library, a
///         recording that runs already, an allocator that cannot be followed. kUsage: no such target.
Result<AttachReport> attach(const AttachOptions& options);

}  // namespace offheap
