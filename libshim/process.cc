// SPDX-License-Identifier: Apache-2.0
#include "libshim/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "libshim/raw_syscall.h"

// Set by ld.so before any relocation of ours runs; exported as GLIBC_2.2.5.
extern "C" void* __libc_stack_end;

namespace shim {
namespace {

char** initial_argv() { return reinterpret_cast<char**>(__libc_stack_end) + 1; }

char** initial_envp() {
  auto argument_count = *reinterpret_cast<long*>(__libc_stack_end);
  return initial_argv() + argument_count + 1;
}

uint64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

/// Reads a small /proc file whole; the length, or 0.
size_t read_small_file(const char* path, char* out, size_t out_bytes) {
  long fd = raw_syscall(SYS_openat, AT_FDCWD, reinterpret_cast<long>(path), O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return 0;
  long length =
      raw_syscall(SYS_read, fd, reinterpret_cast<long>(out), static_cast<long>(out_bytes - 1));
  raw_syscall(SYS_close, fd);
  if (length < 0) length = 0;
  out[length] = 0;
  return static_cast<size_t>(length);
}

uint64_t parse_number(const char* text) {
  uint64_t number = 0;
  while (*text >= '0' && *text <= '9') number = number * 10 + static_cast<uint64_t>(*text++ - '0');
  return number;
}

/// Start of the field that stands `index` blanks after `text`, or null.
const char* skip_fields(const char* text, int index) {
  for (; index > 0; --index) {
    text = strchr(text, ' ');
    if (!text) return nullptr;
    ++text;
  }
  return text;
}

/// A write to a pipe that nobody reads would be a SIGPIPE, and one to a full pipe would wait.
bool takes_words(int fd) {
  pollfd wanted{fd, POLLOUT, 0};
  return raw_syscall(SYS_poll, reinterpret_cast<long>(&wanted), 1, 0) == 1 && wanted.revents == POLLOUT;
}

/// write(2) to a file at its limit, or to a pipe that has just lost its reader, ends the program by a
/// signal. It is held back, and taken away again unless the program had held back one of its own.
/// Source: signal(7), kernel UAPI sigset_t: one word of 64 signals.
void write_without_signals(int fd, const char* text) {
  const uint64_t held = uint64_t{1} << (SIGPIPE - 1) | uint64_t{1} << (SIGXFSZ - 1);
  uint64_t before = 0;
  uint64_t pending = 0;
  const timespec at_once{};
  raw_syscall(SYS_rt_sigprocmask, SIG_BLOCK, reinterpret_cast<long>(&held),
              reinterpret_cast<long>(&before), sizeof held);
  raw_syscall(SYS_rt_sigpending, reinterpret_cast<long>(&pending), sizeof pending);
  long written =
      raw_syscall(SYS_write, fd, reinterpret_cast<long>(text), static_cast<long>(strlen(text)));
  const uint64_t raised = written == -EPIPE   ? uint64_t{1} << (SIGPIPE - 1)
                          : written == -EFBIG ? uint64_t{1} << (SIGXFSZ - 1)
                                              : 0;
  if (raised & ~pending)
    raw_syscall(SYS_rt_sigtimedwait, reinterpret_cast<long>(&raised), 0,
                reinterpret_cast<long>(&at_once), sizeof raised);
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, reinterpret_cast<long>(&before), 0, sizeof before);
}

}  // namespace

const char* initial_argument(int index) {
  return index < *reinterpret_cast<long*>(__libc_stack_end) ? initial_argv()[index] : nullptr;
}

const char* initial_environment(const char* name) {
  size_t length = strlen(name);
  for (char** entry = initial_envp(); *entry; ++entry)
    if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') return *entry + length + 1;
  return nullptr;
}

uint64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }
uint64_t realtime_ns() { return clock_ns(CLOCK_REALTIME); }
uint64_t process_cpu_ns() { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

uint64_t process_start_ticks() {
  char text[512];
  if (!read_small_file("/proc/self/stat", text, sizeof text)) return 0;
  // comm may hold blanks and parentheses: count fields from the last one.
  const char* after_comm = strrchr(text, ')');
  const char* field = after_comm ? skip_fields(after_comm + 2, 22 - 3) : nullptr;
  return field ? parse_number(field) : 0;
}

uint64_t resident_bytes() {
  char text[128];
  if (!read_small_file("/proc/self/statm", text, sizeof text)) return 0;
  const char* field = skip_fields(text, 1);
  return field ? parse_number(field) * 4096 : 0;
}

bool is_past_destructors() {
  constexpr uint64_t kSigCancel = uint64_t{1} << (32 - 1);
  uint64_t blocked = 0;
  raw_syscall(SYS_rt_sigprocmask, SIG_BLOCK, 0, reinterpret_cast<long>(&blocked), sizeof blocked);
  return (blocked & kSigCancel) != 0;
}

void program_names(char* executable, size_t executable_bytes, char* comm, size_t comm_bytes) {
  char path[512];
  long length = raw_syscall(SYS_readlinkat, AT_FDCWD, reinterpret_cast<long>("/proc/self/exe"),
                            reinterpret_cast<long>(path), sizeof path - 1);
  path[length > 0 ? length : 0] = 0;
  const char* slash = strrchr(path, '/');
  executable[0] = comm[0] = 0;
  append(executable, executable_bytes, slash ? slash + 1 : path);
  char name[16] = {};
  raw_syscall(SYS_prctl, PR_GET_NAME, reinterpret_cast<long>(name));
  append(comm, comm_bytes, name);
}

void append(char* out, size_t out_bytes, const char* text) {
  size_t length = strlen(out);
  while (*text && length + 1 < out_bytes) out[length++] = *text++;
  out[length] = 0;
}

void append_number(char* out, size_t out_bytes, uint64_t number) {
  char digits[24];
  char* first = digits + sizeof digits - 1;
  *first = 0;
  do *--first = static_cast<char>('0' + number % 10);
  while (number /= 10);
  append(out, out_bytes, first);
}

void complain(const char* text) {
  if (!takes_words(2)) return;
  char line[1024] = "libshim: ";
  append(line, sizeof line - 1, text);
  append(line, sizeof line, "\n");
  write_without_signals(2, line);
}

ErrnoKeeper::ErrnoKeeper() : saved_(errno) {}
ErrnoKeeper::~ErrnoKeeper() { errno = saved_; }

}  // namespace shim
