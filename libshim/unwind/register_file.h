// SPDX-License-Identifier: Apache-2.0
//
// Unwinding with every register, by any row: slower than the cached walk, and needed where a frame
// finds its caller through a register other than rsp and rbp (lazy binding in ld.so, realigned stacks
// just entered) or through an expression.
#pragma once

#include <cstdint>

#include "libshim/unwind/frame_row.h"
#include "libshim/unwind/stack_window.h"

namespace shim {

struct RegisterFile {
  uint64_t values[kRegisterCount];  ///< by DWARF number; [16] is the pc
};

/// Replaces the registers of a frame by those of its caller. False where a needed word cannot be read.
/// The window is made anew when the row leads to another stack (out of a signal handler).
bool step_registers(RegisterFile* registers, StackWindow* window, const FrameRow& row);

}  // namespace shim
