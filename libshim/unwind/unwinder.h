// SPDX-License-Identifier: Apache-2.0
//
// The stack of the calling thread, from the .eh_frame rows that every x86-64 module carries. No locks,
// no allocation: glibc's _dl_find_object says what module a pc is in, or module_list.h does.
// Usable inside malloc, in signal handlers, and while other threads fork, dlopen or throw.
#pragma once

#include <cstdint>

#include "libshim/recording_layout.h"

namespace shim {

struct Stack {
  uint64_t frames[recording::kMaxFrames];  ///< leaf first; return addresses
  uint32_t count;
  bool truncated;   ///< there were more than kMaxFrames
  bool incomplete;  ///< stopped before the root: no unwind rows, or not on a stack that can be read
};

/// Says where the shim's own code lies; frames in [shim_begin, shim_end) are left out of every stack.
void unwind_init(uint64_t shim_begin, uint64_t shim_end);

/// Fills `out` with the caller's stack, leaf first, from the frame that unwind returns to.
///
/// Errors: never fails; a stack that cannot be followed is cut and marked.
/// Thread: any. Signal: safe, in handlers on alternate stacks too. Alloc: none. errno: untouched.
/// Source: System V ABI x86-64 3.7, DWARF 5 section 6.4, LSB "Exception Frames".
void unwind(Stack* out);

/// False where nothing says which module a pc lies in: stacks then stay empty.
bool unwind_available();

/// Forgets what is remembered of every module. After dlclose, before its addresses can be reused by a
/// dlopen of the same thread.
/// Thread: any, at any time.
void unwind_forget_modules();

}  // namespace shim
