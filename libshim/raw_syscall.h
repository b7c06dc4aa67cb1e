// SPDX-License-Identifier: Apache-2.0
//
// System calls that cannot reach a symbol which the shim itself exports (mmap, munmap, sbrk) and that
// leave errno alone.
#pragma once

namespace shim {

/// Returns what the kernel returns: a value, or -errno.
/// Signal: safe. Thread: any.
/// Source: System V ABI, AMD64 supplement, A.2.1.
inline long raw_syscall(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                        long f = 0) {
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

/// Whether raw_syscall's result is -errno.
inline bool is_error(long result) { return result < 0 && result > -4096; }

}  // namespace shim
