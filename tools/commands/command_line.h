// SPDX-License-Identifier: Apache-2.0
//
// The command line: what offheap can be asked for, and what it answers on stdout.
#pragma once

#include "base/result.h"

namespace offheap {

/// Exit code for a finding above the caller's threshold.
inline constexpr int kExitFinding = 1;

/// Runs the command that the arguments name. The value is an exit code, 0 or kExitFinding; usage
/// problems that the parser finds are printed by it and returned as kUsage's code.
Result<int> run_command_line(int argument_count, char** arguments);

}  // namespace offheap
