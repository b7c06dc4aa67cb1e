// SPDX-License-Identifier: Apache-2.0
//
// Starts a command and says what it cost to start and end it:
//
//   launch wall COMMAND...    milliseconds from vfork to exit
//   launch rss COMMAND...     resident KiB of its mappings as it exits; its peak in rusage will not do,
//                             for a child begins with its parent's
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "launch: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

void print_wall(char** command) {
  auto begin = std::chrono::steady_clock::now();
  pid_t child = vfork();
  if (child == 0) {
    execvp(command[0], command);
    _exit(127);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0) fail(command[0]);
  std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - begin;
  std::printf("%.4f\n", elapsed.count());
}

/// Rss of /proc/PID/smaps_rollup, KiB.
long resident_kib(pid_t pid) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
  std::FILE* file = std::fopen(path, "r");
  if (!file) fail(path);
  char line[256];
  long kib = -1;
  while (std::fgets(line, sizeof line, file) && std::sscanf(line, "Rss: %ld", &kib) != 1) {
  }
  std::fclose(file);
  return kib;
}

void print_resident(char** command) {
  pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    execvp(command[0], command);
    _exit(127);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) fail("exec");
  if (ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACEEXIT) != 0) fail("ptrace");
  do {
    int signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
    ptrace(PTRACE_CONT, child, nullptr, signal);
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) fail("wait");
  } while (status >> 8 != (SIGTRAP | (PTRACE_EVENT_EXIT << 8)));
  std::printf("%ld\n", resident_kib(child));
  ptrace(PTRACE_CONT, child, nullptr, 0);
  waitpid(child, &status, 0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: launch wall|rss COMMAND...\n");
    return 2;
  }
  if (std::strcmp(argv[1], "rss") == 0)
    print_resident(argv + 2);
  else
    print_wall(argv + 2);
}
