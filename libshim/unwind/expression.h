// SPDX-License-Identifier: Apache-2.0
//
// DWARF expressions as they occur in unwind rows: arithmetic over registers and stack words.
#pragma once

#include <cstdint>

#include "libshim/unwind/register_file.h"

namespace shim {

/// Evaluates the expression that stands at FrameRow::expressions + `position`, with `*first` on its
/// stack unless null. False for an operation that rows do not use, or a word that the window does not
/// reach. Source: DWARF 5 section 2.5; GCC unwind-dw2.c execute_stack_op.
bool evaluate(const FrameRow& row, int32_t position, const RegisterFile& registers, StackWindow* window,
              const uint64_t* first, uint64_t* result);

}  // namespace shim
