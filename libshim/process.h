// SPDX-License-Identifier: Apache-2.0
//
// What the shim must know of its process before libc is ready: the environment, its name, its clock.
// Everything here works at the first allocation, which comes before libc's constructors have set
// `environ`: raw system calls, the initial stack and the vdso only.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace shim {

/// Value of NAME in the environment that the kernel handed over, or null. Not the program's later
/// setenv: the shim's options are fixed at exec.
/// Source: ld.so's __libc_stack_end points at argc (glibc elf/dl-support.c,
/// sysdeps/x86_64/dl-machine.h).
const char* initial_environment(const char* name);

/// argv[index] of exec, or null.
const char* initial_argument(int index);

/// CLOCK_MONOTONIC. vdso: no system call. CPU time is a system call.
uint64_t monotonic_ns();
uint64_t realtime_ns();
uint64_t process_cpu_ns();

/// Field 22 of /proc/self/stat, 0 where /proc is missing.
uint64_t process_start_ticks();
/// Second field of /proc/self/statm in bytes, 0 where it cannot be read. Opens a descriptor for an
/// instant, so only called when a file recording was asked for.
uint64_t resident_bytes();

/// Whether the calling thread has run its destructors and will run no more of the program: glibc blocks
/// even its own SIGCANCEL then, which nobody else can. Never true before glibc 2.35. One system call.
/// Source: glibc nptl/pthread_create.c, start_thread.
bool is_past_destructors();

/// Writes the executable's basename and the main thread's comm; both always terminated.
void program_names(char* executable, size_t executable_bytes, char* comm, size_t comm_bytes);

/// One line on fd 2: "libshim: " + text + newline. Errors ignored, errno kept.
void complain(const char* text);

/// Appends `text` to the terminated string in `out`, cut at `out_bytes`.
void append(char* out, size_t out_bytes, const char* text);
void append_number(char* out, size_t out_bytes, uint64_t number);

/// Keeps errno over a scope: an allocation that succeeds may not change it.
class ErrnoKeeper {
 public:
  ErrnoKeeper();
  ~ErrnoKeeper();
  ErrnoKeeper(const ErrnoKeeper&) = delete;
  ErrnoKeeper& operator=(const ErrnoKeeper&) = delete;

 private:
  int saved_;
};

}  // namespace shim
