// SPDX-License-Identifier: Apache-2.0
//
// Where a test program for old glibcs starts: the compiler's own crt1.o asks for __libc_start_main of
// the glibc that the program is built with.
#include "old_symbols.h"

int main(int argc, char** argv);
int __libc_start_main(int (*main)(int, char**), int argc, char** argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void* stack_end);

/// `stack` is what the kernel put there: argc, then argv.
__attribute__((noreturn, used)) static void start(long* stack, void (*rtld_fini)(void)) {
  (void)__libc_start_main(main, (int)*stack, (char**)(stack + 1), 0, 0, rtld_fini, stack);
  __builtin_trap();
}

__asm__(
    ".globl _start\n"
    "_start:\n"
    "  xorl %ebp, %ebp\n"
    "  movq %rsp, %rdi\n"
    "  movq %rdx, %rsi\n"
    "  andq $-16, %rsp\n"
    "  call start\n");
