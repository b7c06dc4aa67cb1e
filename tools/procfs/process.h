// SPDX-License-Identifier: Apache-2.0
//
// One process, named once and held: a pidfd and a descriptor of its /proc directory, so that a reused
// pid can never be mistaken for it. Everything that is text in /proc is read through here; memory is
// read by process_memory.h, threads are stopped by stop.h.
//
// Errors are kUnreadable and differ in `what`: no such process, no permission (the missing right is in
// `remedy`), a kernel thread, or an exit while it was being read, which is a normal outcome: exited()
// tells it from the rest.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "procfs/mapping.h"
#include "procfs/text_file.h"

namespace offheap {

struct ThreadName {
  std::uint32_t tid = 0;
  std::string name;  ///< comm, at most 15 bytes
};

/// The numbers of /proc/PID/stat that we use; ticks are clock ticks (sysconf(_SC_CLK_TCK)).
struct ProcessTimes {
  char state = '?';
  std::uint64_t flags = 0;  ///< PF_*
  std::uint64_t user_ticks = 0;
  std::uint64_t system_ticks = 0;
  std::uint64_t start_ticks = 0;  ///< since boot
};

/// The fields of one stat line, of a process or a thread. The command may hold spaces and brackets.
Result<ProcessTimes> parse_stat(std::string_view text);

class Process {
 public:
  /// Takes hold of `pid`. Errors: no such process, a thread's id, a kernel thread.
  static Result<Process> open(pid_t pid);

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::uint64_t start_ticks() const { return start_ticks_; }
  [[nodiscard]] int directory_fd() const { return directory_.get(); }

  /// True once the process has ended, waited for or not.
  [[nodiscard]] bool exited() const;

  /// Whether thread `tid` is one of this process, and not of another that has the number by now.
  [[nodiscard]] bool has_thread(pid_t tid) const;

  /// One file of /proc/PID as text. Errors as in the header comment, and a file that is absurdly long.
  Result<std::string> read(const char* name) const;

  Result<std::vector<Mapping>> read_smaps() const;
  Result<ProcessTimes> read_times() const;
  Result<std::string> read_comm() const;
  Result<std::string> read_exe() const;  ///< link text, " (deleted)" kept
  Result<std::vector<std::string>> read_cmdline() const;
  Result<std::map<std::string, std::string>> read_environ() const;
  Result<std::map<std::uint64_t, std::uint64_t>> read_auxv() const;  ///< by AT_* number
  Result<std::map<std::string, std::string>> read_status() const;    ///< key to trimmed text
  Result<uid_t> read_uid() const;                                    ///< effective
  Result<std::vector<pid_t>> read_namespace_pids() const;            ///< NSpid, outermost first
  Result<std::vector<std::uint32_t>> read_thread_ids() const;        ///< ascending
  Result<std::vector<ThreadName>> read_threads() const;
  Result<std::string> read_cgroup() const;

  /// The error for a failed read of `name` with errno `code`: what is missing and how to get it.
  [[nodiscard]] Error read_error(std::string_view name, int code) const;

  /// The error for an exit while being read.
  [[nodiscard]] Error exit_error() const;

 private:
  Process(pid_t pid, Descriptor pidfd, Descriptor directory)
      : pid_(pid), pidfd_(std::move(pidfd)), directory_(std::move(directory)) {}

  pid_t pid_;
  std::uint64_t start_ticks_ = 0;
  Descriptor pidfd_;
  Descriptor directory_;
};

/// Which right is missing to read or stop `process`, as a sentence that says what to do: another uid,
/// CAP_SYS_PTRACE, or Yama's ptrace_scope.
std::string missing_right(const Process& process);

}  // namespace offheap
