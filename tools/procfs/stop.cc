// SPDX-License-Identifier: Apache-2.0
//
// The tracer is a thread of its own, since ptrace belongs to the thread that seized: when that thread
// ends, in whatever way, the kernel detaches what it still traces. That covers threads that are deep in
// the kernel (state D, a parent in vfork): an interrupt is pending for them, they cannot run user code,
// and nobody needs to wait for them to be let go.
#include "procfs/stop.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace offheap {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kGiveUpAfter = std::chrono::seconds(1);
constexpr auto kAskForStateAfter = std::chrono::milliseconds(5);
constexpr auto kPollEvery = std::chrono::microseconds(20);

struct Tracee {
  pid_t tid = 0;
  bool stopped = false;
  bool gone = false;
  int signal = 0;  ///< taken off its way by the stop; handed on when detaching
};

char thread_state(const Process& process, pid_t tid) {
  const auto text = process.read(fmt::format("task/{}/stat", tid).c_str());
  if (!text) return 'X';
  const auto times = parse_stat(*text);
  return times ? times->state : 'X';
}

/// The pid that traces `tid`, 0 when none.
std::string tracer_of(const Process& process, pid_t tid) {
  const auto text = process.read(fmt::format("task/{}/status", tid).c_str());
  constexpr std::string_view kKey = "TracerPid:\t";
  const auto at = text ? text->find(kKey) : std::string::npos;
  if (at == std::string::npos) return "0";
  const auto begin = at + kKey.size();
  return text->substr(begin, text->find('\n', begin) - begin);
}

/// Seizes and waits for threads; lives on the tracing thread only.
class Seizer {
 public:
  explicit Seizer(const Process& process) : process_(process) {}

  /// Nothing, or why not all threads could be stopped.
  std::optional<Error> stop_all() {
    // A thread that still runs may create another: list again until a whole pass finds nothing new.
    for (;;) {
      const auto threads = process_.read_thread_ids();
      if (!threads) return threads.error();
      bool found_new = false;
      for (const auto id : *threads) {
        const auto tid = static_cast<pid_t>(id);
        if (is_known(tid)) continue;
        found_new = true;
        if (auto error = seize(tid)) return error;
      }
      if (!found_new) return process_.exited() ? std::optional(process_.exit_error()) : std::nullopt;
      if (auto error = wait_until_stopped()) return error;
    }
  }

  /// One thread alone. Its registers, or nothing.
  std::optional<user_regs_struct> stop_one(pid_t tid) {
    if (seize(tid) || wait_until_stopped() || !tracees_.front().stopped) return std::nullopt;
    if (!process_.has_thread(tid)) return std::nullopt;  // the number is another's by now
    user_regs_struct registers{};
    if (::ptrace(PTRACE_GETREGS, tid, nullptr, &registers) != 0) return std::nullopt;
    return registers;
  }

  void detach_all() {
    for (const auto& tracee : tracees_)
      if (tracee.stopped && !tracee.gone)
        ::ptrace(PTRACE_DETACH, tracee.tid, nullptr, signal_word(tracee));
  }

  [[nodiscard]] std::size_t count() const { return tracees_.size(); }

 private:
  static void* signal_word(const Tracee& tracee) {
    return reinterpret_cast<void*>(
        static_cast<std::intptr_t>(tracee.signal));  // NOLINT: ptrace's own type
  }

  [[nodiscard]] bool is_known(pid_t tid) const {
    return std::any_of(tracees_.begin(), tracees_.end(), [tid](const auto& t) { return t.tid == tid; });
  }

  std::optional<Error> seize(pid_t tid) {
    Tracee tracee{tid, false, false, 0};
    if (::ptrace(PTRACE_SEIZE, tid, nullptr, nullptr) == 0) {
      ::ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
    } else {
      const int code = errno;
      const char state = thread_state(process_, tid);
      // A thread that has ended, a zombie leader too, is refused with EPERM and needs no stop.
      if (code != ESRCH && state != 'Z' && state != 'X') return seize_error(tid, code);
      tracee.gone = true;
    }
    tracees_.push_back(tracee);
    return std::nullopt;
  }

  [[nodiscard]] Error seize_error(pid_t tid, int code) const {
    const auto tracer = tracer_of(process_, tid);
    if (tracer != "0")
      return Error{
          ErrorCode::kUnreadable, fmt::format("the process is already traced by pid {}", tracer),
          fmt::format("pid {}", process_.pid()), "end the debugger or strace, or use --no-pause"};
    auto error = process_.read_error(fmt::format("task/{}", tid), code);
    if (!process_.exited()) error.what = "no permission to stop the process's threads";
    return error;
  }

  std::optional<Error> wait_until_stopped() {
    const auto begin = Clock::now();
    for (;;) {
      collect_stops();
      const auto waited = Clock::now() - begin;
      if (waited > kAskForStateAfter) excuse_threads_in_kernel();
      if (std::all_of(tracees_.begin(), tracees_.end(), is_settled)) return std::nullopt;
      if (process_.exited()) return process_.exit_error();
      if (waited > kGiveUpAfter)
        return Error{ErrorCode::kUnreadable, "a thread did not stop within a second",
                     fmt::format("pid {}", process_.pid()), "use --no-pause for an estimate"};
      std::this_thread::sleep_for(kPollEvery);
    }
  }

  static bool is_settled(const Tracee& tracee) { return tracee.stopped || tracee.gone; }

  void collect_stops() {
    int status = 0;
    for (;;) {
      const pid_t tid = ::waitpid(-1, &status, __WALL | __WNOTHREAD | WNOHANG);
      if (tid <= 0) return;
      const auto tracee =
          std::find_if(tracees_.begin(), tracees_.end(), [tid](const auto& t) { return t.tid == tid; });
      if (tracee == tracees_.end()) continue;
      if (!WIFSTOPPED(status)) {
        tracee->gone = true;
        continue;
      }
      tracee->stopped = true;
      tracee->gone = false;
      // PTRACE_EVENT_STOP is our interrupt or a group-stop; anything else is a signal on its way.
      if (status >> 16 == 0) tracee->signal = WSTOPSIG(status);
    }
  }

  void excuse_threads_in_kernel() {
    for (auto& tracee : tracees_) {
      if (is_settled(tracee)) continue;
      const char state = thread_state(process_, tracee.tid);
      tracee.gone = state == 'D' || state == 'Z' || state == 'X';
    }
  }

  const Process& process_;
  std::vector<Tracee> tracees_;
};

}  // namespace

/// The tracing thread and the two meetings with it: "all stopped (or why not)" and "let go".
class Stop::Tracer {
 public:
  explicit Tracer(const Process& process)
      : begin_(Clock::now()), thread_([this, &process] { run(process); }) {}
  ~Tracer() { let_go(); }

  std::optional<Error> wait_until_ready() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ready_; });
    return error_;
  }

  void let_go() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      released_ = true;
    }
    changed_.notify_all();
    thread_.join();
    end_ = Clock::now();
  }

  [[nodiscard]] std::uint64_t pause_ns() const {
    const auto end = thread_.joinable() ? Clock::now() : end_;
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(end - begin_).count());
  }
  [[nodiscard]] std::size_t thread_count() const { return thread_count_; }

 private:
  void run(const Process& process) {
    Seizer seizer(process);
    auto error = seizer.stop_all();
    std::unique_lock lock(mutex_);
    error_ = std::move(error);
    thread_count_ = seizer.count();
    ready_ = true;
    changed_.notify_all();
    if (!error_) changed_.wait(lock, [this] { return released_; });
    seizer.detach_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool ready_ = false;
  bool released_ = false;
  std::optional<Error> error_;
  std::size_t thread_count_ = 0;
  Clock::time_point begin_;
  Clock::time_point end_;
  std::thread thread_;
};

Stop::Stop(std::unique_ptr<Tracer> tracer) : tracer_(std::move(tracer)) {}
Stop::Stop(Stop&&) noexcept = default;
Stop& Stop::operator=(Stop&&) noexcept = default;
Stop::~Stop() = default;

Result<Stop> Stop::all_threads(const Process& process) {
  auto tracer = std::make_unique<Tracer>(process);
  if (auto error = tracer->wait_until_ready()) return *error;
  return Stop(std::move(tracer));
}

std::uint64_t Stop::resume() {
  tracer_->let_go();
  return tracer_->pause_ns();
}

Haste::Haste() {
  sched_param lowest{};
  lowest.sched_priority = 1;
  const bool usual = ::sched_getscheduler(0) == SCHED_OTHER;
  hurried_ = usual && ::sched_setscheduler(0, SCHED_FIFO, &lowest) == 0;
}

Haste::~Haste() {
  const sched_param none{};
  if (hurried_) ::sched_setscheduler(0, SCHED_OTHER, &none);
}

std::optional<Address> read_thread_pointer(const Process& process, std::uint32_t tid) {
  std::optional<user_regs_struct> registers;
  std::thread([&] {
    Seizer seizer(process);
    registers = seizer.stop_one(static_cast<pid_t>(tid));
    seizer.detach_all();
  }).join();
  return registers && registers->fs_base != 0 ? std::optional<Address>(registers->fs_base)
                                              : std::nullopt;
}

std::uint64_t Stop::pause_ns() const { return tracer_->pause_ns(); }

std::size_t Stop::thread_count() const { return tracer_->thread_count(); }

}  // namespace offheap
