// SPDX-License-Identifier: Apache-2.0
//
// HotSpot's attach protocol, spoken directly: what jcmd does, without a JDK and across pid and mount
// namespaces. The JVM listens on a socket in its /tmp; before the first contact of its life it must be
// asked to, by a file with a certain name and SIGQUIT. That signal ends a process which does not catch
// it, so it is sent only after the kernel has said that this one does.
//
// It changes the target: one more thread ("Attach Listener") from the first contact on, and what a
// command allocates. Look from outside first.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/units.h"
#include "procfs/process.h"
#include "procfs/text_file.h"

namespace offheap {

/// What the JVM said: a result code (0: done), and text.
struct AttachAnswer {
  int code = 0;
  std::string text;
};

/// A whole answer as it was read from the socket: a line with the code, then the text.
///
/// Errors: kUnreadable when the first line is no number, or nothing came at all: then the JVM did not
///         accept the caller's user.
Result<AttachAnswer> parse_attach_answer(std::string_view bytes);

/// The bytes of one request, version 1 of the protocol, which every HotSpot since 6 understands.
///
/// Errors: kUsage when an argument holds a zero byte or is longer than the JVM takes (1024 bytes).
Result<std::string> format_attach_request(std::string_view command,
                                          const std::array<std::string, 3>& arguments);

/// What an agent's Agent_OnAttach returned, out of the answer to "load"; nothing when it did not run.
std::optional<int> parse_agent_result(std::string_view text);

struct HotspotAttachOptions {
  std::uint64_t listen_deadline_ns = 10'000'000'000;  ///< for the JVM to open its socket
  std::uint64_t answer_deadline_ns = 60'000'000'000;  ///< for a whole answer
  Bytes answer_limit_bytes = Bytes{32} << 20;         ///< a longer answer is an error
};

class HotspotAttach {
 public:
  /// Makes sure that the JVM listens, and asks it to when it does not yet.
  ///
  /// Errors: kUnreadable, each with a remedy: not a HotSpot JVM, no right to its root, the attach
  ///         mechanism is disabled, SIGQUIT is not caught and there is no socket (-Xrs, or the JVM is
  ///         still starting), no directory where the trigger file can be made, no socket in time.
  /// Source: HotSpot os/posix/attachListener_posix.cpp; jdk.attach VirtualMachineImpl.java.
  static Result<HotspotAttach> open(const Process& process, const HotspotAttachOptions& options = {});

  /// One command with its arguments; a connection each.
  ///
  /// Errors: kUnreadable: no connection, another process listens there, the JVM refuses the caller's
  ///         user, no answer in time, an answer that is too long or makes no sense.
  Result<AttachAnswer> execute(std::string_view command,
                               const std::array<std::string, 3>& arguments) const;

  /// A diagnostic command as jcmd has it: "VM.version", "VM.native_memory summary",
  /// "System.trim_native_heap"; returns its text.
  ///
  /// Errors: as execute; a code other than 0 is an error with the JVM's own words.
  Result<std::string> diagnose(const std::string& command_line) const;

  /// Loads the JVMTI agent at `path` (absolute, as the target sees it) unless it is loaded already, and
  /// runs its Agent_OnAttach, whose return value is the result.
  ///
  /// Errors: as execute; kUnreadable with the JVM's words when it refuses to load agents or the file
  ///         does not load.
  Result<int> load_agent(const std::string& path, const std::string& options) const;

 private:
  HotspotAttach(const Process& process, HotspotAttachOptions options, std::string socket_name)
      : process_(&process), options_(options), socket_name_(std::move(socket_name)) {}

  const Process* process_;
  HotspotAttachOptions options_;
  std::string socket_name_;
};

}  // namespace offheap
