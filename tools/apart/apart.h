// SPDX-License-Identifier: Apache-2.0
//
// Work on hostile bytes with a library that may have flaws, in a process that can do nothing with them.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "base/units.h"

namespace offheap {

struct ApartLimits {
  Bytes memory_bytes = Bytes{2} << 30;  ///< beyond what this program has mapped
  Bytes answer_bytes = Bytes{256} << 20;
  std::chrono::milliseconds deadline{10'000};  ///< by the clock, and of CPU time in whole seconds
};

/// What `work` returns, computed in a child that may read `input`, compute and answer; any other system
/// call, a crash, too much memory, time or answer ends it. It has no
/// capability. The caller checks the answer as it would the
/// input: whoever took the child over wrote it.
///
/// Errors: nothing when there was no answer; nothing of the child is left.
/// Thread: any; `work` must not need a lock that another thread may hold, other than malloc's.
/// Source: seccomp(2), prctl(2), getrlimit(2).
std::optional<std::string> work_apart(int input, const std::function<std::string(int input)>& work,
                                      const ApartLimits& limits = {});

}  // namespace offheap
