// SPDX-License-Identifier: Apache-2.0
//
// Source: ptrace(2).
#include "attach/tracee.h"

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

namespace offheap {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kPollEvery = std::chrono::microseconds(20);
constexpr auto kGetSignalMask = static_cast<__ptrace_request>(0x420a);  // PTRACE_GETSIGMASK
constexpr auto kSetSignalMask = static_cast<__ptrace_request>(0x420b);  // PTRACE_SETSIGMASK
constexpr std::size_t kStateLimitBytes = 64 * 1024;
constexpr int kSystemCallStop = SIGTRAP | 0x80;  // PTRACE_O_TRACESYSGOOD

TraceEvent event_of(int status) {
  if (!WIFSTOPPED(status)) return {TraceEvent::Kind::kEnded, 0};
  const int signal = WSTOPSIG(status);
  if (signal == kSystemCallStop) return {TraceEvent::Kind::kSystemCall, 0};
  if (status >> 16 == PTRACE_EVENT_STOP) return {TraceEvent::Kind::kInterrupted, signal};
  return {TraceEvent::Kind::kSignal, signal};
}

}  // namespace

bool Tracee::seize() { return ::ptrace(PTRACE_SEIZE, tid_, nullptr, PTRACE_O_TRACESYSGOOD) == 0; }

void Tracee::interrupt() { ::ptrace(PTRACE_INTERRUPT, tid_, nullptr, nullptr); }

void Tracee::resume() { ::ptrace(PTRACE_CONT, tid_, nullptr, nullptr); }

void Tracee::resume_to_system_call() { ::ptrace(PTRACE_SYSCALL, tid_, nullptr, nullptr); }

void Tracee::detach(int signal) {
  ::ptrace(PTRACE_DETACH, tid_, nullptr, static_cast<std::intptr_t>(signal));
}

TraceEvent Tracee::wait(std::uint64_t timeout_ns) {
  const auto end = Clock::now() + std::chrono::nanoseconds(timeout_ns);
  for (;;) {
    int status = 0;
    const pid_t found = ::waitpid(tid_, &status, __WALL | WNOHANG);
    if (found == tid_) return event_of(status);
    if (found < 0 && errno != EINTR) return {TraceEvent::Kind::kEnded, 0};
    if (Clock::now() >= end) return {};
    std::this_thread::sleep_for(kPollEvery);
  }
}

std::optional<user_regs_struct> Tracee::registers() const {
  user_regs_struct registers{};
  if (::ptrace(PTRACE_GETREGS, tid_, nullptr, &registers) != 0) return std::nullopt;
  return registers;
}

bool Tracee::set_registers(const user_regs_struct& registers) {
  return ::ptrace(PTRACE_SETREGS, tid_, nullptr, &registers) == 0;
}

std::vector<std::byte> Tracee::extended_state() const {
  std::vector<std::byte> state(kStateLimitBytes);
  iovec vector{state.data(), state.size()};
  if (::ptrace(PTRACE_GETREGSET, tid_, NT_X86_XSTATE, &vector) != 0) return {};
  state.resize(vector.iov_len);
  return state;
}

void Tracee::set_extended_state(std::span<const std::byte> state) {
  iovec vector{const_cast<std::byte*>(state.data()), state.size()};  // ptrace's own type; read only
  ::ptrace(PTRACE_SETREGSET, tid_, NT_X86_XSTATE, &vector);
}

std::uint64_t Tracee::signal_mask() const {
  std::uint64_t mask = 0;
  ::ptrace(kGetSignalMask, tid_, sizeof mask, &mask);
  return mask;
}

void Tracee::set_signal_mask(std::uint64_t mask) { ::ptrace(kSetSignalMask, tid_, sizeof mask, &mask); }

bool Tracee::write(Address address, std::span<const std::byte> bytes) {
  for (std::size_t done = 0; done < bytes.size(); done += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + done, std::min(sizeof word, bytes.size() - done));
    if (::ptrace(PTRACE_POKEDATA, tid_, address + done, word) != 0) return false;
  }
  return true;
}

std::optional<std::uint64_t> Tracee::read_word(Address address) const {
  errno = 0;
  const long word = ::ptrace(PTRACE_PEEKDATA, tid_, address, nullptr);
  if (errno != 0) return std::nullopt;
  return static_cast<std::uint64_t>(word);
}

}  // namespace offheap
