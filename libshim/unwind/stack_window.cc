// SPDX-License-Identifier: Apache-2.0
#include "libshim/unwind/stack_window.h"

#include <sys/syscall.h>

namespace shim {

// Where the kernel put the main thread's arguments; exported by ld.so since 2.2.5.
extern "C" void* libc_stack_end __asm__("__libc_stack_end") __attribute__((weak));

namespace {

constexpr uint64_t kPageBytes = 4096;
/// A stack pointer this near below the end of the thread's own stack is taken to be on it. Farther down
/// it may be, but it may also be on a stack of the program's making with holes in between.
constexpr uint64_t kOwnStackBytes = 8u << 20;
/// Frames larger than this are not followed on probed stacks.
constexpr uint64_t kProbeBytes = 256 * 1024;
/// Below the stack pointer and still intact, in signal handlers too. In an epilogue, rows still name
/// the slots of registers that have been popped already.
constexpr uint64_t kRedZoneBytes = 128;

uint64_t thread_control_block() {
  uint64_t self;
  __asm__("mov %%fs:0, %0" : "=r"(self));
  return self;
}

bool is_below(uint64_t sp, uint64_t end) { return sp < end && end - sp <= kOwnStackBytes; }

}  // namespace

// The kernel reads the new mask before it looks at the operation, which is none of the known ones:
// EFAULT means unreadable, EINVAL readable, and nothing changes either way. No signal, no descriptor,
// and every seccomp policy allows it.
bool is_readable(uint64_t address) {
  const uint64_t page = address & ~(kPageBytes - 1);
  int64_t result = SYS_rt_sigprocmask;
  register uint64_t set_bytes __asm__("r10") = 8;
  __asm__ volatile("syscall"
                   : "+a"(result)
                   : "D"(~0ull), "S"(page), "d"(0ull), "r"(set_bytes)
                   : "rcx", "r11", "memory");
  constexpr int64_t kBadAddress = -14;
  return result != kBadAddress;
}

StackWindow stack_window(uint64_t sp) {
  const uint64_t self = thread_control_block();
  if (is_below(sp, self)) return {sp, self, false};
  if (&libc_stack_end != nullptr) {
    const uint64_t main_end = reinterpret_cast<uint64_t>(libc_stack_end);
    if (is_below(sp, main_end)) return {sp, main_end, false};
  }
  return {sp, (sp | (kPageBytes - 1)) + 1, true};
}

bool window_reaches(StackWindow* window, uint64_t end) {
  if (end <= window->high) return true;
  if (!window->is_probed || end - window->high > kProbeBytes) return false;
  while (window->high < end) {
    if (!is_readable(window->high)) return false;
    window->high += kPageBytes;
  }
  return true;
}

bool read_stack(StackWindow* window, uint64_t address, uint64_t* out) {
  if (address + kRedZoneBytes < window->low || !window_reaches(window, address + sizeof(uint64_t)))
    return false;
  *out = stack_word(address);
  return true;
}

}  // namespace shim
