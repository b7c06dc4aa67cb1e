// SPDX-License-Identifier: Apache-2.0
//
// Compares one walk of the shim with the VM's own answer for the same stack.
#pragma once

#include <cstdint>

#include "libshim/java/walk.h"

namespace java_oracle {

/// AsyncGetCallTrace's way to give a stack. Source: HotSpot prims/forte.cpp.
struct CallFrame {
  int32_t bci;
  uint64_t* method;  ///< jmethodID: up to JDK 25 a pointer to the Method*
};
constexpr int32_t kNativeBci = -3;

struct CallTrace {
  void* environment;
  int32_t count;  ///< below 1: none, and why
  CallFrame* frames;
};

enum class Verdict {
  kBothNone,
  kEqual,
  kOnlyOurs,      ///< the VM refuses while its collector runs and while a thread exits
  kFrozen,        ///< equal but for the virtual thread's frames in the heap, over which the VM jumps
  kNextBytecode,  ///< equal but for the compiled frame that called a stub: the VM takes the pc after
  kOnlyVm,        ///< wrong: we have none
  kStrayed,       ///< wrong: we lost our way where the VM did not
  kDifferent,     ///< wrong
};
constexpr uint32_t kVerdicts = 8;

/// `top_count` of our frames, from the leaf, stand in the compiled frame that called the stub by which
/// the thread left Java; 0 where it left otherwise.
Verdict compare(const shim::JavaStack& ours, const CallTrace& theirs, uint32_t top_count);

}  // namespace java_oracle
