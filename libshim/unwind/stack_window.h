// SPDX-License-Identifier: Apache-2.0
//
// The part of the address space in which stack words may be read: from the stack pointer up to where
// this thread's stack ends. The walker reads nothing outside it, so that wrong unwind rows or a smashed
// stack cost a stack trace and not the process.
#pragma once

#include <cstdint>

namespace shim {

struct StackWindow {
  uint64_t low;    ///< the stack pointer when the window was made
  uint64_t high;   ///< first address not to read
  bool is_probed;  ///< end unknown: `high` moves up a page at a time while the kernel can read there
};

/// The window of the stack that holds `sp`: up to the thread's control block, which glibc puts above
/// every thread's stack, or up to __libc_stack_end on the main thread. Any other stack (alternate
/// signal stacks, coroutines) is known to its current page only, and probed further up as needed.
StackWindow stack_window(uint64_t sp);

/// Makes sure that [low, `end`) may be read, probing if the window allows it. An `end` below `low` is
/// the caller's to refuse.
bool window_reaches(StackWindow* window, uint64_t end);

/// Reads one word of the window or of the red zone below it; false, and `*out` untouched, where the
/// window does not reach.
bool read_stack(StackWindow* window, uint64_t address, uint64_t* out);

/// Whether the page that holds `address` is mapped and readable now. One system call. errno: untouched.
bool is_readable(uint64_t address);

/// A word that is known to lie in the window. Unaligned addresses are as good as others.
__attribute__((no_sanitize("address", "thread"))) inline uint64_t stack_word(uint64_t address) {
  struct __attribute__((packed, may_alias)) Word {
    uint64_t value;
  };
  return reinterpret_cast<const Word*>(address)->value;
}

}  // namespace shim
