// SPDX-License-Identifier: Apache-2.0
//
// Sources: proc_pid_syscall(5); signal(7), "Interruption of system calls and library functions by stop
// signals"; glibc nptl/lowlevellock.h (a lock waits by FUTEX_WAIT), nptl/futex-internal.c (condition
// variables, joins and semaphores wait by FUTEX_WAIT_BITSET).
#include "attach/waiting_thread.h"

#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <thread>

#include "procfs/text_file.h"

namespace offheap {
namespace {

struct HarmlessCall {
  long number;
  const char* name;
  int rank;         ///< 0 waits for the outside; 3 is told EINTR by any stop
  bool takes_file;  ///< the first argument is a descriptor, which must not be a regular file
};

constexpr std::array<HarmlessCall, 22> kHarmlessCalls{{
    {SYS_read, "read", 0, true},
    {SYS_poll, "poll", 0, false},
    {SYS_ppoll, "ppoll", 0, false},
    {SYS_select, "select", 0, false},
    {SYS_pselect6, "pselect6", 0, false},
    {SYS_pause, "pause", 0, false},
    {SYS_rt_sigsuspend, "rt_sigsuspend", 0, false},
    {SYS_accept, "accept", 0, true},
    {SYS_accept4, "accept4", 0, true},
    {SYS_recvfrom, "recvfrom", 0, true},
    {SYS_recvmsg, "recvmsg", 0, true},
    {SYS_wait4, "wait4", 0, false},
    {SYS_waitid, "waitid", 0, false},
    {SYS_nanosleep, "nanosleep", 1, false},
    {SYS_clock_nanosleep, "clock_nanosleep", 1, false},
    {SYS_restart_syscall, "restart_syscall", 1, false},
    {SYS_futex, "futex", 2, false},
    {SYS_rt_sigtimedwait, "rt_sigtimedwait", 3, false},
    {SYS_epoll_wait, "epoll_wait", 3, false},
    {SYS_epoll_pwait, "epoll_pwait", 3, false},
    {441, "epoll_pwait2", 3, false},
    {SYS_io_getevents, "io_getevents", 3, false},
}};

const HarmlessCall* find_call(long number) {
  const auto found = std::find_if(kHarmlessCalls.begin(), kHarmlessCalls.end(),
                                  [number](const HarmlessCall& call) { return call.number == number; });
  return found == kHarmlessCalls.end() ? nullptr : &*found;
}

/// A pipe, socket, terminal, event descriptor: what one waits on for others.
bool is_wait_object(std::string_view file) {
  constexpr std::array<std::string_view, 7> kPrefixes = {
      "pipe:[", "socket:[", "anon_inode:", "/dev/pts/", "/dev/tty", "/dev/null", "/dev/console"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [file](std::string_view prefix) { return file.starts_with(prefix); });
}

/// What the thread does, for the refusal: "futex (a lock)".
std::string describe(const WaitingThread& thread) {
  if (thread.system_call == SYS_futex && !rank_of_wait(thread, "")) return "futex (a lock)";
  if (thread.system_call < 0) return "running";
  return system_call_name(thread.system_call);
}

Result<std::vector<WaitingThread>> read_all(const Process& process) {
  const auto ids = process.read_thread_ids();
  if (!ids) return ids.error();
  std::vector<WaitingThread> threads;
  for (const auto tid : *ids) {
    const auto text = process.read(fmt::format("task/{}/syscall", tid).c_str());
    // A thread that has ended leaves ESRCH, which is no reason to give up on the others.
    if (!text && threads.empty() && ids->size() == 1) return text.error();
    if (!text) continue;
    WaitingThread unknown;
    unknown.tid = tid;
    threads.push_back(parse_waiting_thread(tid, *text).value_or(unknown));
  }
  if (threads.empty()) return process.read_error("syscall", EACCES);
  return threads;
}

std::string file_of(const Process& process, const WaitingThread& thread) {
  const auto* call = find_call(thread.system_call);
  if (call == nullptr || !call->takes_file) return {};
  return read_link(process.directory_fd(), fmt::format("fd/{}", thread.arguments[0]).c_str())
      .value_or("");
}

Error none_is_harmless(const Process& process, const std::vector<WaitingThread>& threads) {
  std::map<std::string, int> counts;
  for (const auto& thread : threads) ++counts[describe(thread)];
  std::string doing;
  for (const auto& [what, count] : counts)
    doing += fmt::format("{}{} in {}", doing.empty() ? "" : ", ", count, what);
  return Error{ErrorCode::kUnreadable,
               fmt::format("no thread waits in a system call that it can be borrowed from ({})", doing),
               fmt::format("pid {}", process.pid()),
               "try again when a thread of it is idle: in read, poll, accept, sleep, wait or a "
               "condition variable"};
}

/// Those that wait harmlessly and did so at the look before, best first.
std::vector<WaitingThread> ranked(const Process& process, const std::vector<WaitingThread>& before,
                                  const std::vector<WaitingThread>& now) {
  std::multimap<int, WaitingThread> by_rank;
  for (const auto& thread : now) {
    if (std::find(before.begin(), before.end(), thread) == before.end()) continue;
    const auto rank = rank_of_wait(thread, file_of(process, thread));
    if (rank) by_rank.emplace(*rank, thread);
  }
  std::vector<WaitingThread> threads;
  for (const auto& [rank, thread] : by_rank) threads.push_back(thread);
  return threads;
}

}  // namespace

std::optional<WaitingThread> parse_waiting_thread(std::uint32_t tid, std::string_view text) {
  WaitingThread thread;
  thread.tid = tid;
  const char* at = text.data();
  const char* end = text.data() + text.size();
  const auto number = std::from_chars(at, end, thread.system_call);
  if (number.ec != std::errc{} || thread.system_call < 0) return std::nullopt;
  at = number.ptr;
  std::array<std::uint64_t, 8> words{};
  for (auto& word : words) {
    if (end - at < 4 || at[0] != ' ' || at[1] != '0' || at[2] != 'x') return std::nullopt;
    const auto parsed = std::from_chars(at + 3, end, word, 16);
    if (parsed.ec != std::errc{}) return std::nullopt;
    at = parsed.ptr;
  }
  std::copy_n(words.begin(), thread.arguments.size(), thread.arguments.begin());
  thread.stack_pointer = words[6];
  thread.instruction_pointer = words[7];
  return thread;
}

std::optional<int> rank_of_wait(const WaitingThread& thread, std::string_view file) {
  const auto* call = find_call(thread.system_call);
  if (call == nullptr) return std::nullopt;
  if (call->takes_file && !is_wait_object(file)) return std::nullopt;
  // Locks of malloc, the loader and other allocators wait by plain FUTEX_WAIT: never borrow there.
  if (thread.system_call == SYS_futex &&
      (thread.arguments[1] & static_cast<std::uint64_t>(FUTEX_CMD_MASK)) != FUTEX_WAIT_BITSET)
    return std::nullopt;
  return call->rank;
}

std::string system_call_name(long number) {
  const auto* call = find_call(number);
  return call != nullptr ? call->name : fmt::format("system call {}", number);
}

Result<std::vector<WaitingThread>> find_waiting_threads(const Process& process) {
  constexpr int kLooks = 40;
  constexpr auto kBetweenLooks = std::chrono::milliseconds(5);
  auto before = read_all(process);
  for (int look = 1; before; ++look) {
    std::this_thread::sleep_for(kBetweenLooks);
    auto now = read_all(process);
    if (!now) return now.error();
    auto threads = ranked(process, *before, *now);
    if (!threads.empty()) return threads;
    if (look == kLooks) return none_is_harmless(process, *now);
    before = std::move(now);
  }
  return before.error();
}

}  // namespace offheap
