// SPDX-License-Identifier: Apache-2.0
//
// `offheap doctor PID`: did the preload take effect, and if not why. ld.so warns at most, and mostly
// onto a log that nobody reads.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace offheap {

struct DoctorCheck {
  std::string name;
  bool ok = false;
  std::string detail;  ///< what was found
  std::string remedy;  ///< when not ok
};

struct DoctorReport {
  bool works = false;   ///< a recording is there and counts the program's own allocations
  std::string verdict;  ///< one line
  std::vector<DoctorCheck> checks;
};

/// Errors: kUnreadable when the process cannot be looked at.
Result<DoctorReport> examine(int pid);

/// Whether a comma-separated list of patterns, in which * stands for any run, has one for `name`.
bool matches_any_pattern(std::string_view patterns, std::string_view name);

}  // namespace offheap
