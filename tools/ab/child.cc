// SPDX-License-Identifier: Apache-2.0
#include "ab/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

namespace offheap::ab {
namespace {

struct Pipe {
  Descriptor read;
  Descriptor write;
};

std::optional<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

/// Of a process that stands at its exit.
bool ends_by_signal(pid_t pid) {
  unsigned long status = 0;
  return ::ptrace(PTRACE_GETEVENTMSG, pid, nullptr, &status) == 0 &&
         WIFSIGNALED(static_cast<int>(status));
}

constexpr const char* kMainThreadEnded = "its main thread ended before the process did";

/// A signal goes to where it was sent, a stopped process stays stopped.
void pass_stop_on(pid_t pid, int status) {
  const int event = status >> 16;
  const int signal = WSTOPSIG(status);
  if (event == PTRACE_EVENT_STOP && signal != SIGTRAP)
    ::ptrace(PTRACE_LISTEN, pid, nullptr, nullptr);
  else
    ::ptrace(PTRACE_CONT, pid, nullptr, event == 0 ? signal : 0);
}

/// What the child does between fork and exec: system calls alone. Never returns.
[[noreturn]] void become(char* const* command, char* const* environment, const ChildOptions& options,
                         int go, int failed) {
  ::setsid();
  const int null = ::open("/dev/null", O_RDWR);
  ::dup2(null, STDIN_FILENO);
  ::dup2(options.output >= 0 ? options.output : null, STDOUT_FILENO);
  ::dup2(options.errors >= 0 ? options.errors : null, STDERR_FILENO);
  if (null > STDERR_FILENO) ::close(null);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(signal, SIG_DFL);
  char ready = 0;
  while (::read(go, &ready, 1) < 0 && errno == EINTR) {
  }
  ::execvpe(command[0], command, environment);
  const int problem = errno;
  [[maybe_unused]] const auto written = ::write(failed, &problem, sizeof problem);
  ::_exit(127);
}

std::uint64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

/// Lets the threads that are being killed go. False when the main thread ends alone: others live on.
bool is_alone(pid_t pid) {
  const std::string tasks = fmt::format("/proc/{}/status", pid);
  for (int i = 0; i < 100; ++i) {
    const auto status = read_text(AT_FDCWD, tasks.c_str());
    if (!status || status->find("\nThreads:\t1\n") != std::string::npos) return true;
    ::usleep(2000);
  }
  return false;
}

}  // namespace

Result<Child> Child::start(const ChildOptions& options) {
  auto go = make_pipe();
  auto failed = make_pipe();
  if (!go || !failed) return Error{ErrorCode::kInternal, "no pipe", std::strerror(errno), ""};
  const auto command = pointers_to(options.command);
  const auto environment = pointers_to(options.environment);
  const pid_t pid = ::fork();
  if (pid < 0) return Error{ErrorCode::kInternal, "cannot fork", std::strerror(errno), ""};
  if (pid == 0)
    become(command.data(), environment.data(), options, go->read.get(), failed->write.get());
  Child child(pid, Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))));
  if (options.hold_at_exit && ::ptrace(PTRACE_SEIZE, pid, nullptr, PTRACE_O_TRACEEXIT) != 0)
    child.hold_problem_ = fmt::format("it cannot be traced: {}", std::strerror(errno));
  failed->write = Descriptor();
  child.begin_ns_ = now_ns();
  [[maybe_unused]] const auto written = ::write(go->write.get(), "", 1);
  int problem = 0;
  if (::read(failed->read.get(), &problem, sizeof problem) == sizeof problem) {
    child.wait({});
    return Error{ErrorCode::kUsage, "cannot be executed", options.command.front(),
                 std::strerror(problem)};
  }
  return child;
}

ChildEnd Child::wait(const AtExit& at_exit) {
  ChildEnd end;
  for (;;) {
    const pid_t got = ::wait4(pid_, &end.status, __WALL, &end.usage);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 || WIFEXITED(end.status) || WIFSIGNALED(end.status)) {
      if (end_ns_ == 0) end_ns_ = now_ns();
      return end;
    }
    const int event = end.status >> 16;
    if (event == PTRACE_EVENT_EXIT) {
      end_ns_ = now_ns();
      if (is_alone(pid_)) {
        if (at_exit) at_exit(ends_by_signal(pid_));
      } else {
        end_ns_ = 0;
        hold_problem_ = kMainThreadEnded;
      }
      ::ptrace(PTRACE_CONT, pid_, nullptr, nullptr);
    } else {
      pass_stop_on(pid_, end.status);
    }
  }
}

double Child::wall_seconds() const {
  return static_cast<double>((end_ns_ != 0 ? end_ns_ : now_ns()) - begin_ns_) * 1e-9;
}

std::string hold_at_exit(pid_t pid, const AtExit& at_exit) {
  std::string problem;
  if (::ptrace(PTRACE_SEIZE, pid, nullptr, PTRACE_O_TRACEEXIT) != 0) {
    problem = fmt::format("it cannot be traced: {}", std::strerror(errno));
    while (::kill(pid, 0) == 0) ::usleep(10'000);
    return problem;
  }
  int status = 0;
  for (;;) {
    const pid_t got = ::waitpid(pid, &status, __WALL);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 || WIFEXITED(status) || WIFSIGNALED(status)) return problem;
    if (status >> 16 != PTRACE_EVENT_EXIT) {
      pass_stop_on(pid, status);
      continue;
    }
    if (is_alone(pid))
      at_exit(ends_by_signal(pid));
    else
      problem = kMainThreadEnded;
    ::ptrace(PTRACE_CONT, pid, nullptr, nullptr);
  }
}

std::optional<ChildEnd> Child::wait_for(int timeout_ms) {
  pollfd ended{pidfd_.get(), POLLIN, 0};
  ::poll(&ended, 1, timeout_ms);
  ChildEnd end;
  const pid_t got = ::wait4(pid_, &end.status, WNOHANG, &end.usage);
  if (got != pid_) return {};
  end_ns_ = now_ns();
  return end;
}

}  // namespace offheap::ab
