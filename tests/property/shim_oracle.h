// SPDX-License-Identifier: Apache-2.0
//
// Compares the shim's stacks with libunwind's, frame by frame, and keeps count.
#pragma once

#include <cstdint>

namespace shim_test {

struct Agreement {
  uint64_t stacks;
  uint64_t frames;
  uint64_t wrong;
  uint64_t incomplete;  ///< cut short by the shim where libunwind agreed to the last frame
};

/// Unwinds the caller's stack with both and adds to the calling process's totals. The first few
/// differences are printed. Thread: any. Signal: safe.
void compare_stacks();

/// The totals since the last call.
Agreement take_agreement();

}  // namespace shim_test
