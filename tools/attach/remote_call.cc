// SPDX-License-Identifier: Apache-2.0
//
// The order of things: rule obstacles out, seize a waiting thread, look again, save all that a call
// could change, block its signals, map an area of its own for the call, call, and undo all of that.
// The last step goes through one more stop, so that the kernel itself decides about the restart of the
// system call, as it would have done without us.
#include "attach/remote_call.h"

#include <fmt/format.h>
#include <linux/audit.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>
#include <thread>

#include "attach/call_frame.h"
#include "attach/obstacles.h"
#include "attach/seccomp_filter.h"
#include "attach/tracee.h"
#include "attach/waiting_thread.h"
#include "procfs/process_memory.h"

namespace offheap {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::uint64_t kStopWithin_ns = 200'000'000;
constexpr std::uint64_t kSystemCallWithin_ns = 2'000'000'000;
constexpr auto kShortestPoll = std::chrono::microseconds(20);
constexpr auto kLongestPoll = std::chrono::milliseconds(1);
constexpr std::uint64_t kWaitForUs_s = 2;
constexpr std::uint64_t kUserCodeSegment = 0x33;  // 64-bit code
constexpr std::uint16_t kSystemCallInstruction = 0x050f;

/// Signals that a fault raises must stay unblocked: blocked, the kernel would reset their handlers.
constexpr std::array<int, 6> kFaults = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};

constexpr std::uint64_t all_but_faults() {
  std::uint64_t mask = ~std::uint64_t{0};
  for (const int signal : kFaults) mask &= ~(std::uint64_t{1} << (signal - 1));
  return mask;
}

bool is_fault(int signal) {
  return signal == SIGABRT || std::find(kFaults.begin(), kFaults.end(), signal) != kFaults.end();
}

struct NeededCall {
  int number;
  const char* name;
  std::uint64_t third_argument = 0;  ///< protection, for those that filters look at
};

constexpr std::array<NeededCall, 8> kNeededByEveryCall{{
    {SYS_mmap, "mmap", PROT_READ | PROT_WRITE},
    {SYS_mmap, "mmap of executable memory", PROT_READ | PROT_EXEC},
    {SYS_munmap, "munmap"},
    {SYS_madvise, "madvise"},
    {SYS_brk, "brk"},
    {SYS_futex, "futex"},
    {SYS_select, "select"},
    {SYS_rt_sigreturn, "rt_sigreturn"},
}};
constexpr std::array<NeededCall, 6> kNeededByLoader{{
    {SYS_openat, "openat"},
    {SYS_read, "read"},
    {SYS_pread64, "pread64"},
    {SYS_close, "close"},
    {SYS_newfstatat, "newfstatat"},
    {SYS_mprotect, "mprotect", PROT_READ},
}};

/// The first needed system call that the filters do not allow, or null.
const char* find_denied(std::span<const SeccompFilter> filters, std::span<const NeededCall> needed) {
  for (const NeededCall& call : needed) {
    seccomp_data data{};
    data.nr = call.number;
    data.arch = AUDIT_ARCH_X86_64;
    data.args[2] = call.third_argument;
    if (!is_allowed(run_seccomp_filters(filters, data))) return call.name;
  }
  return nullptr;
}

}  // namespace

class RemoteCaller::Session {
 public:
  Session(const Process& process, const RemoteCallOptions& options, ProcessMemory memory,
          WaitingThread waiting)
      : process_(process),
        options_(options),
        memory_(std::move(memory)),
        waiting_(waiting),
        tracee_(static_cast<pid_t>(waiting.tid)) {}
  ~Session() { release(); }

  enum class Seized { kYes, kMovedOn, kRefused };

  /// Takes the thread if it still waits where it was seen.
  Seized seize() {
    begin_ = Clock::now();
    if (!tracee_.seize()) return errno == ESRCH ? Seized::kMovedOn : Seized::kRefused;
    tracee_.interrupt();
    state_ = State::kHeld;
    if (!wait_for(TraceEvent::Kind::kInterrupted, kStopWithin_ns)) return let_go_untouched();
    // Now that it cannot end: the number may have become another's before.
    if (!process_.has_thread(tracee_.tid())) return let_go_untouched();
    const auto registers = tracee_.registers();
    const auto instruction = registers ? tracee_.read_word(registers->rip - 2) : std::nullopt;
    if (!instruction || (*instruction & 0xffff) != kSystemCallInstruction ||
        registers->orig_rax != static_cast<std::uint64_t>(waiting_.system_call) ||
        registers->cs != kUserCodeSegment || registers->rsp != waiting_.stack_pointer)
      return let_go_untouched();
    saved_.registers = *registers;
    saved_.extended_state = tracee_.extended_state();
    saved_.signal_mask = tracee_.signal_mask();
    return Seized::kYes;
  }

  /// Everything that a call needs, or why it cannot be had.
  std::optional<Error> prepare(std::span<const Mapping> mappings) {
    if (auto error = find_seccomp_obstacle()) return error;
    const auto errno_location =
        find_exported(memory_, mappings, path_of_libc(mappings), "__errno_location");
    if (!errno_location) return errno_location.error();
    tracee_.set_signal_mask(all_but_faults());
    touched_ = true;
    if (auto error = map_area()) return error;
    const auto errno_address = call(*errno_location, {});
    if (!errno_address) return errno_address.error();
    errno_address_ = *errno_address;
    errno_word_ = memory_.read_value<std::int32_t>(errno_address_).value_or(0);
    return std::nullopt;
  }

  Result<std::uint64_t> call(Address function, std::span<const std::uint64_t> arguments) {
    if (state_ != State::kHeld || area_.base == 0) return failure("no call is possible any more", "");
    CallControl control;
    control.wait_seconds = kWaitForUs_s;
    if (!tracee_.write(area_.control(), std::as_bytes(std::span(&control, 1))) ||
        !tracee_.set_registers(call_registers(area_, saved_, function, arguments)))
      return ended();
    tracee_.resume();
    if (auto error = wait_for_return()) return *error;
    if (auto error = take_over()) return *error;
    return memory_.read_value<std::uint64_t>(area_.control()).value_or(0);
  }

  Result<Address> put_text(std::string_view text) {
    const Address address = area_.text().begin + text_bytes_;
    std::vector<std::byte> bytes(text.size() + 1);
    std::memcpy(bytes.data(), text.data(), text.size());
    const Bytes room = (bytes.size() + 7) / 8 * 8;
    if (state_ != State::kHeld || area_.base == 0 || text_bytes_ + room > CallArea::kTextBytes)
      return failure("there is no room for the text of the call", "give a shorter path or argument");
    if (!tracee_.write(address, bytes)) return ended();
    text_bytes_ += room;
    return address;
  }

  std::uint64_t release() {
    if (state_ == State::kHeld) {
      if (touched_) restore();
      for (std::size_t i = 1; i < signals_.size(); ++i)
        ::syscall(SYS_tgkill, process_.pid(), tracee_.tid(), signals_[i]);
      tracee_.detach(signals_.empty() ? 0 : signals_.front());
      finish(State::kReleased);
    }
    return held_ns_;
  }

  [[nodiscard]] std::uint32_t tid() const { return waiting_.tid; }
  [[nodiscard]] std::string_view system_call() const { return name_; }

 private:
  enum class State {
    kIdle,
    kHeld,      ///< stopped, ours
    kReleased,  ///< detached, as it was
    kEnded,     ///< the thread is gone
    kAbandoned  ///< detached in the middle of a call; puts itself back
  };

  void finish(State state) {
    state_ = state;
    held_ns_ = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin_).count());
  }

  Seized let_go_untouched() {
    release();
    return Seized::kMovedOn;
  }

  [[nodiscard]] Error failure(std::string what, std::string remedy) const {
    return Error{ErrorCode::kUnreadable, std::move(what),
                 fmt::format("pid {}, thread {}", process_.pid(), waiting_.tid), std::move(remedy)};
  }

  Error ended() {
    if (state_ == State::kHeld) finish(State::kEnded);
    return failure("the thread ended during the call", "");
  }

  /// Lets nothing but `wanted` count. Signals that are no faults are kept for later.
  bool wait_for(TraceEvent::Kind wanted, std::uint64_t timeout_ns) {
    for (;;) {
      const TraceEvent event = tracee_.wait(timeout_ns);
      if (event.kind == wanted) return true;
      if (event.kind == TraceEvent::Kind::kEnded) finish(State::kEnded);
      if (event.kind == TraceEvent::Kind::kEnded || event.kind == TraceEvent::Kind::kNone) return false;
      if (event.kind == TraceEvent::Kind::kSignal) signals_.push_back(event.signal);
      if (wanted == TraceEvent::Kind::kSystemCall)
        tracee_.resume_to_system_call();
      else
        tracee_.resume();
    }
  }

  std::optional<Error> find_seccomp_obstacle() {
    if (!has_seccomp_filter(process_, waiting_.tid)) return std::nullopt;
    const auto filters = read_seccomp_filters(tracee_.tid());
    if (!filters)
      return failure(
          "a seccomp filter watches the process, and it cannot be inspected",
          "run offheap as root on the host, with CAP_SYS_ADMIN and outside of the container");
    const char* denied = find_denied(*filters, kNeededByEveryCall);
    if (denied == nullptr && options_.loads_libraries) denied = find_denied(*filters, kNeededByLoader);
    if (denied == nullptr) return std::nullopt;
    return failure(fmt::format("the process's seccomp filter denies {}, which the call needs", denied),
                   "allow it in the seccomp profile");
  }

  /// One system call made by the thread. Its result, or nothing when it ended.
  std::optional<std::int64_t> make_system_call(std::uint64_t number,
                                               std::span<const std::uint64_t> arguments) {
    if (!tracee_.set_registers(system_call_registers(saved_, number, arguments))) return std::nullopt;
    for (int stop = 0; stop < 2; ++stop) {  // at its entry, at its exit
      tracee_.resume_to_system_call();
      if (!wait_for(TraceEvent::Kind::kSystemCall, kSystemCallWithin_ns)) return std::nullopt;
    }
    const auto registers = tracee_.registers();
    if (!registers) return std::nullopt;
    return static_cast<std::int64_t>(registers->rax);
  }

  std::optional<Error> map_area() {
    const std::uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    const std::array<std::uint64_t, 6> whole = {0,     CallArea::kTotalBytes, PROT_READ | PROT_WRITE,
                                                flags, ~std::uint64_t{0},     0};
    const auto base = make_system_call(SYS_mmap, whole);
    if (!base) return ended();
    if (*base <= 0)
      return failure(fmt::format("the target cannot map memory for the call: {}",
                                 std::strerror(static_cast<int>(-*base))),
                     "see its ulimit -v and vm.max_map_count");
    area_.base = static_cast<Address>(*base);
    const std::array<std::uint64_t, 6> code = {
        area_.base,        CallArea::kCodeBytes, PROT_READ | PROT_EXEC,
        flags | MAP_FIXED, ~std::uint64_t{0},    0};
    const auto mapped = make_system_call(SYS_mmap, code);
    if (!mapped) return ended();
    if (*mapped != *base)
      return failure("the target may not map executable memory",
                     "a security module (SELinux: execmem) forbids it; allow it for this program");
    if (!tracee_.write(area_.base, call_code()) ||
        !tracee_.write(area_.stack_top(), return_frame(area_, saved_)))
      return failure("the target's memory cannot be written", "a security module forbids it");
    return std::nullopt;
  }

  /// Until the code says that the function has returned.
  std::optional<Error> wait_for_return() {
    const auto deadline = Clock::now() + std::chrono::nanoseconds(options_.deadline_ns);
    std::chrono::nanoseconds pause = kShortestPoll;
    while (memory_.read_value<std::uint64_t>(area_.control() + sizeof(std::uint64_t)).value_or(0) !=
           1) {
      const TraceEvent event = tracee_.wait(0);
      if (event.kind == TraceEvent::Kind::kEnded) return ended();
      if (event.kind == TraceEvent::Kind::kSignal && is_fault(event.signal))
        return faulted(event.signal);
      if (event.kind == TraceEvent::Kind::kSignal) signals_.push_back(event.signal);
      if (event.kind != TraceEvent::Kind::kNone) tracee_.resume();
      if (Clock::now() > deadline) return abandon();
      std::this_thread::sleep_for(pause);
      pause = std::min<std::chrono::nanoseconds>(pause * 2, kLongestPoll);
    }
    return std::nullopt;
  }

  /// The thread stops where it was before the call: in the kernel, behind its system call.
  Error faulted(int signal) {
    const auto registers = tracee_.registers();
    release();
    return failure(
        fmt::format("the call raised signal {} at 0x{:x}", signal, registers ? registers->rip : 0),
        "the thread was put back, but what it held may stay locked: the heap is likely damaged");
  }

  /// The call goes on without us: when it returns, rt_sigreturn puts the thread back.
  Error abandon() {
    tracee_.interrupt();
    wait_for(TraceEvent::Kind::kInterrupted, kStopWithin_ns);
    if (state_ != State::kEnded) {
      tracee_.detach(signals_.empty() ? 0 : signals_.front());
      finish(State::kAbandoned);
    }
    return failure(fmt::format("the call did not return within {} s",
                               static_cast<double>(options_.deadline_ns) / 1e9),
                   "the thread finishes it and goes back to its own work by itself; should it not, it "
                   "waits for a lock that another thread never lets go of");
  }

  /// Stops the thread in the code's select. It may have waited in vain and gone home: then all is well,
  /// but the session is over.
  std::optional<Error> take_over() {
    tracee_.interrupt();
    if (!wait_for(TraceEvent::Kind::kInterrupted, kStopWithin_ns)) return ended();
    const auto registers = tracee_.registers();
    if (registers && area_.code().contains(registers->rip)) return std::nullopt;
    tracee_.detach(0);
    finish(State::kReleased);
    return failure("offheap was kept from running for seconds during the call",
                   "the call was made, and the thread is back at its own work");
  }

  void restore() {
    if (errno_address_ != 0) {
      const auto word = tracee_.read_word(errno_address_).value_or(0);
      const std::uint64_t kept =
          (word & ~std::uint64_t{0xffffffff}) | static_cast<std::uint32_t>(errno_word_);
      tracee_.write(errno_address_, std::as_bytes(std::span(&kept, 1)));
    }
    if (area_.base != 0) {
      const std::array<std::uint64_t, 2> whole = {area_.base, CallArea::kTotalBytes};
      make_system_call(SYS_munmap, whole);
    }
    tracee_.set_extended_state(saved_.extended_state);
    tracee_.set_registers(saved_.registers);
    tracee_.set_signal_mask(saved_.signal_mask);
    // From a stop at a system call's exit the kernel would not restart the one that was interrupted.
    tracee_.interrupt();
    tracee_.resume();
    const TraceEvent event = tracee_.wait(kStopWithin_ns);
    if (event.kind == TraceEvent::Kind::kSignal) signals_.insert(signals_.begin(), event.signal);
  }

  const Process& process_;
  RemoteCallOptions options_;
  ProcessMemory memory_;
  WaitingThread waiting_;
  std::string name_ = system_call_name(waiting_.system_call);
  Tracee tracee_;
  State state_ = State::kIdle;
  bool touched_ = false;
  SavedThread saved_;
  CallArea area_;
  Bytes text_bytes_ = 0;
  Address errno_address_ = 0;
  std::int32_t errno_word_ = 0;
  std::vector<int> signals_;  ///< met on the way, delivered when the thread is let go
  Clock::time_point begin_;
  std::uint64_t held_ns_ = 0;
};

RemoteCaller::RemoteCaller(std::unique_ptr<Session> session) : session_(std::move(session)) {}
RemoteCaller::RemoteCaller(RemoteCaller&&) noexcept = default;
RemoteCaller& RemoteCaller::operator=(RemoteCaller&&) noexcept = default;
RemoteCaller::~RemoteCaller() = default;

Result<RemoteCaller> RemoteCaller::open(const Process& process, const RemoteCallOptions& options) {
  auto mappings = process.read_smaps();
  if (!mappings) return mappings.error();
  if (auto error = find_obstacle(process, *mappings)) return *error;
  const auto threads = find_waiting_threads(process);
  if (!threads) return threads.error();
  std::optional<Error> last;
  for (const WaitingThread& thread : *threads) {
    if (auto error = find_obstacle(process, thread.tid)) {
      last = std::move(error);
      continue;
    }
    auto memory = ProcessMemory::open(process);
    if (!memory) return memory.error();
    auto session = std::make_unique<Session>(process, options, std::move(*memory), thread);
    const auto seized = session->seize();
    if (seized == Session::Seized::kRefused) return process.read_error("mem", EPERM);
    if (seized == Session::Seized::kMovedOn) continue;
    if (auto error = session->prepare(*mappings)) return *error;
    return RemoteCaller(std::move(session));
  }
  if (last) return *last;
  return Error{ErrorCode::kUnreadable, "every thread moved on before it could be borrowed",
               fmt::format("pid {}", process.pid()), "try again when the process is less busy"};
}

Result<std::uint64_t> RemoteCaller::call(Address function, std::span<const std::uint64_t> arguments) {
  return session_->call(function, arguments);
}
Result<Address> RemoteCaller::put_text(std::string_view text) { return session_->put_text(text); }
std::uint64_t RemoteCaller::release() { return session_->release(); }
std::uint32_t RemoteCaller::tid() const { return session_->tid(); }
std::string_view RemoteCaller::system_call() const { return session_->system_call(); }

}  // namespace offheap
