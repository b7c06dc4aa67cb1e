// SPDX-License-Identifier: Apache-2.0
//
// /proc/PID as text. Every file is opened below one directory descriptor: the kernel ties that to the
// process and not to the number, so a file read through it is of this process or fails with ESRCH.
#include "procfs/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

namespace offheap {
namespace {

constexpr std::uint64_t kKernelThreadFlag = 0x00200000;  // PF_KTHREAD, kernel include/linux/sched.h

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const auto end = text.find(separator);
    words.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return words;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

template <typename Number>
Number number_or_zero(std::string_view word) {
  Number value = 0;
  std::from_chars(word.data(), word.data() + word.size(), value);
  return value;
}

Error no_such_process(pid_t pid) {
  return Error{ErrorCode::kUnreadable, "no such process", fmt::format("pid {}", pid),
               "check the number; inside a container the pids differ from those of the host"};
}

/// What a process has by itself is below it: a million mappings, the longest command line of execve.
std::size_t most_bytes_of(std::string_view name) {
  if (name == "smaps" || name == "maps") return std::size_t{512} << 20;
  if (name == "cmdline" || name == "environ") return std::size_t{2} << 20;
  return kTextFileLimitBytes;
}

/// 0, 1, 2 or 3; -1 when the kernel has no Yama.
int yama_ptrace_scope() {
  const auto text = read_text(AT_FDCWD, "/proc/sys/kernel/yama/ptrace_scope");
  return text ? number_or_zero<int>(*text) : -1;
}

bool have_capability_sys_ptrace() {
  constexpr unsigned kCapSysPtrace = 19;  // linux/capability.h
  const auto text = read_text(AT_FDCWD, "/proc/self/status");
  const auto at = text ? text->find("CapEff:\t") : std::string::npos;
  if (at == std::string::npos) return false;
  std::uint64_t mask = 0;
  const char* begin = text->data() + at + std::strlen("CapEff:\t");
  std::from_chars(begin, text->data() + text->size(), mask, 16);
  return (mask >> kCapSysPtrace & 1) != 0;
}

}  // namespace

Result<ProcessTimes> parse_stat(std::string_view text) {
  const auto command_end = text.rfind(')');
  const auto words = command_end == std::string_view::npos
                         ? std::vector<std::string_view>{}
                         : split(trimmed(text.substr(command_end + 1)), ' ');
  // proc_pid_stat(5) counts from 1 and the third field is the first after the command.
  constexpr std::size_t kFirstField = 3;
  const auto field = [&](std::size_t number) { return words[number - kFirstField]; };
  if (words.size() < 22 - kFirstField + 1 || field(3).size() != 1)
    return Error{ErrorCode::kUnreadable, "malformed stat line", std::string(text.substr(0, 80)), ""};
  return ProcessTimes{
      field(3)[0], number_or_zero<std::uint64_t>(field(9)), number_or_zero<std::uint64_t>(field(14)),
      number_or_zero<std::uint64_t>(field(15)), number_or_zero<std::uint64_t>(field(22))};
}

Result<Process> Process::open(pid_t pid) {
  if (pid <= 0) return no_such_process(pid);
  // The pidfd comes first: while it is held and not signalled, the number cannot belong to another.
  // Kernels before 5.3 have none; the directory descriptor and the start time do the work there.
  Descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  Descriptor directory(
      ::open(fmt::format("/proc/{}", pid).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return no_such_process(pid);

  Process process(pid, std::move(pidfd), std::move(directory));
  const auto times = process.read_times();
  if (!times) return times.error();
  if ((times->flags & kKernelThreadFlag) != 0)
    return Error{ErrorCode::kUnreadable, "a kernel thread has no memory of its own",
                 fmt::format("pid {}", pid), "kernel memory is in the cgroup's and the host's figures"};
  process.start_ticks_ = times->start_ticks;
  const auto status = process.read_status();
  if (!status) return status.error();
  const auto leader = status->find("Tgid");
  if (leader != status->end() && leader->second != std::to_string(pid))
    return Error{ErrorCode::kUnreadable, "this is a thread's id, not a process's",
                 fmt::format("{}", pid), fmt::format("its process is {}", leader->second)};
  return process;
}

bool Process::exited() const {
  if (pidfd_.valid()) {
    pollfd entry{pidfd_.get(), POLLIN, 0};
    return ::poll(&entry, 1, 0) == 1;
  }
  const auto text = read_text(directory_.get(), "stat");
  if (!text) return true;
  const auto times = parse_stat(*text);
  return !times || times->state == 'Z' || times->state == 'X';
}

Error Process::exit_error() const {
  return Error{ErrorCode::kUnreadable, "the process exited while it was being read",
               fmt::format("pid {}", pid_), ""};
}

Error Process::read_error(std::string_view name, int code) const {
  if (code == ESRCH || code == ENOENT || exited()) return exit_error();
  const auto where = fmt::format("/proc/{}/{}", pid_, name);
  if (code == EACCES || code == EPERM)
    return Error{ErrorCode::kUnreadable, "no permission to read the process", where,
                 missing_right(*this)};
  return Error{ErrorCode::kUnreadable, fmt::format("cannot read the process: {}", std::strerror(code)),
               where, ""};
}

bool Process::has_thread(pid_t tid) const {
  return ::faccessat(directory_.get(), fmt::format("task/{}", tid).c_str(), F_OK, 0) == 0;
}

Result<std::string> Process::read(const char* name) const {
  auto text = read_text(directory_.get(), name, most_bytes_of(name));
  if (!text) return read_error(name, errno);
  return std::move(*text);
}

Result<std::vector<Mapping>> Process::read_smaps() const {
  // The kernel hands the map out in pieces; a mapping that grows between two of them appears twice.
  constexpr int kAttempts = 40;
  for (int attempt = 1;; ++attempt) {
    const auto before = read_times();
    if (!before) return before.error();
    const auto text = read("smaps");
    if (!text) return text.error();
    const auto after = read_times();
    if (!after) return after.error();
    // A process that is past exit_mm() has an empty map.
    if (text->empty() || before->start_ticks != after->start_ticks) return exit_error();
    auto mappings = parse_smaps(*text);
    if (mappings || attempt == kAttempts) return mappings;
  }
}

Result<ProcessTimes> Process::read_times() const {
  const auto text = read("stat");
  if (!text) return text.error();
  return parse_stat(*text);
}

Result<std::string> Process::read_comm() const {
  const auto text = read("comm");
  if (!text) return text.error();
  return std::string(text->ends_with('\n') ? std::string_view(*text).substr(0, text->size() - 1)
                                           : *text);
}

Result<std::string> Process::read_exe() const {
  auto target = read_link(directory_.get(), "exe");
  if (!target) return read_error("exe", errno);
  return std::move(*target);
}

Result<std::vector<std::string>> Process::read_cmdline() const {
  const auto text = read("cmdline");
  if (!text) return text.error();
  std::vector<std::string> words;
  for (const auto word : split(*text, '\0')) words.emplace_back(word);
  return words;
}

Result<std::map<std::string, std::string>> Process::read_environ() const {
  const auto text = read("environ");
  if (!text) return text.error();
  std::map<std::string, std::string> variables;
  for (const auto entry : split(*text, '\0')) {
    const auto equals = entry.find('=');
    if (equals == std::string_view::npos) continue;
    variables.emplace(entry.substr(0, equals), entry.substr(equals + 1));  // getenv sees the first
  }
  return variables;
}

Result<std::map<std::uint64_t, std::uint64_t>> Process::read_auxv() const {
  const auto text = read("auxv");
  if (!text) return text.error();
  std::map<std::uint64_t, std::uint64_t> values;
  for (std::size_t at = 0; at + 16 <= text->size(); at += 16) {
    std::uint64_t pair[2];
    std::memcpy(pair, text->data() + at, sizeof pair);
    if (pair[0] == 0) break;
    values.emplace(pair[0], pair[1]);
  }
  return values;
}

Result<std::map<std::string, std::string>> Process::read_status() const {
  const auto text = read("status");
  if (!text) return text.error();
  std::map<std::string, std::string> fields;
  for (const auto line : split(*text, '\n')) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    fields.emplace(line.substr(0, colon), trimmed(line.substr(colon + 1)));
  }
  return fields;
}

Result<uid_t> Process::read_uid() const {
  const auto fields = read_status();
  if (!fields) return fields.error();
  const auto line = fields->find("Uid");
  const auto words =
      line == fields->end() ? std::vector<std::string_view>{} : split(line->second, '\t');
  if (words.size() < 2) return read_error("status", EINVAL);
  return number_or_zero<uid_t>(words[1]);
}

Result<std::vector<pid_t>> Process::read_namespace_pids() const {
  const auto fields = read_status();
  if (!fields) return fields.error();
  std::vector<pid_t> pids;
  const auto line = fields->find("NSpid");
  if (line != fields->end())
    for (const auto word : split(line->second, '\t')) pids.push_back(number_or_zero<pid_t>(word));
  if (pids.empty()) pids.push_back(pid_);  // kernels before 4.1 have no such line
  return pids;
}

Result<std::vector<std::uint32_t>> Process::read_thread_ids() const {
  const int fd = ::openat(directory_.get(), "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return read_error("task", errno);
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks(::fdopendir(fd), ::closedir);
  std::vector<std::uint32_t> ids;
  while (const dirent* entry = ::readdir(tasks.get()))
    if (entry->d_name[0] != '.') ids.push_back(number_or_zero<std::uint32_t>(entry->d_name));
  if (ids.empty()) return exit_error();
  std::sort(ids.begin(), ids.end());
  return ids;
}

Result<std::vector<ThreadName>> Process::read_threads() const {
  const auto ids = read_thread_ids();
  if (!ids) return ids.error();
  std::vector<ThreadName> threads;
  for (const auto tid : *ids) {
    auto name = read_text(directory_.get(), fmt::format("task/{}/comm", tid).c_str());
    if (!name) continue;  // the thread ended between the two calls
    if (name->ends_with('\n')) name->pop_back();
    threads.push_back({tid, std::move(*name)});
  }
  if (threads.empty()) return exit_error();
  return threads;
}

Result<std::string> Process::read_cgroup() const { return read("cgroup"); }

std::string missing_right(const Process& process) {
  const auto uid = process.read_uid();
  if (have_capability_sys_ptrace())
    return "a security module, seccomp or another user namespace forbids it: run offheap in the "
           "target's own "
           "namespaces or on the host as root";
  if (uid && *uid != ::geteuid())
    return fmt::format(
        "run as uid {} or as root, or give offheap CAP_SYS_PTRACE (docker: --cap-add SYS_PTRACE)",
        *uid);
  const int scope = yama_ptrace_scope();
  if (scope > 0)
    return fmt::format(
        "Yama forbids it (kernel.yama.ptrace_scope = {}): run as root or give offheap "
        "CAP_SYS_PTRACE{}",
        scope, scope == 3 ? ", after a reboot with a lower scope: 3 cannot be lowered" : "");
  return "the target is not dumpable (it changed its uid or called prctl): give offheap CAP_SYS_PTRACE";
}

}  // namespace offheap
