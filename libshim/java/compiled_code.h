// SPDX-License-Identifier: Apache-2.0
//
// What a compiled method knows of itself at a call: which methods are inlined there, and where in each
// of them the call stands.
#pragma once

#include <cstdint>

#include "libshim/java/vm_layout.h"

namespace shim {

inline constexpr int32_t kNoBci = -1;

struct MethodAt {
  uint64_t method;
  int32_t bci;
};

/// True when `pc` is where the VM has redirected a frame of a method that it has discarded; then the
/// frame itself, whose stack pointer is `sp`, holds the return address that counted: `*slot` is where.
bool is_deoptimised(const VmLayout& vm, uint64_t blob, uint64_t pc, uint64_t sp, uint64_t* slot);

/// The methods at the return address `pc`, innermost first. At least one: where nothing is said of this
/// pc, the compiled method itself at kNoBci. `*truncated` when there are more than `capacity`.
/// Thread: one with a frame of this code. Alloc: none.
/// Source: HotSpot code/debugInfoRec.cpp, code/pcDesc.hpp, utilities/unsigned5.hpp.
uint32_t methods_at(const VmLayout& vm, uint64_t blob, uint64_t pc, MethodAt* out, uint32_t capacity,
                    bool* truncated);

/// The method that the code was compiled from.
uint64_t method_of(const VmLayout& vm, uint64_t blob);

}  // namespace shim
