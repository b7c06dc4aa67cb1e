// SPDX-License-Identifier: Apache-2.0
//
// The first half of an attach: is this a JVM that can be asked, is its socket there, and if not, ask
// for it without any risk that the request ends the JVM.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "procfs/process.h"
#include "procfs/text_file.h"

namespace offheap {

/// Whether `status_mask`, a hexadecimal set of signals as in SigCgt of /proc/PID/status, has `signal`.
bool has_signal(std::string_view status_mask, int signal);

/// The reason why `process` can never be asked, or kNone. Reads its maps, command line and environment.
///
/// Errors: kUnreadable: not a HotSpot JVM; attaching is disabled by an option.
Result<bool> check_is_hotspot(const Process& process);

/// The socket ".java_pid<n>" in the target's /tmp, held by an O_PATH descriptor; invalid while it is
/// not there.
///
/// Errors: kUnreadable: the target's /tmp cannot be opened, or what lies there is no socket of the
///         target's own user.
Result<Descriptor> find_attach_socket(const Process& process, const std::string& socket_name);

/// Asks the JVM to open its socket and waits for it.
///
/// Errors: kUnreadable: SIGQUIT is not caught, no trigger file can be made, no socket in time.
Result<bool> ask_to_listen(const Process& process, const std::string& socket_name,
                           std::uint64_t deadline_ns);

}  // namespace offheap
