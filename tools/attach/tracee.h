// SPDX-License-Identifier: Apache-2.0
//
// One thread under ptrace: seized without a signal, and let go by the kernel should offheap end. Thin:
// what a stop means is for the caller to judge.
#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/units.h"

namespace offheap {

/// Why a wait ended.
struct TraceEvent {
  enum class Kind {
    kNone,         ///< nothing happened in time
    kInterrupted,  ///< our interrupt, or a group-stop
    kSystemCall,   ///< entry or exit, after resume_to_system_call()
    kSignal,       ///< `signal` is about to be delivered
    kEnded,        ///< the thread or its process is gone
  };
  Kind kind = Kind::kNone;
  int signal = 0;
};

class Tracee {
 public:
  explicit Tracee(pid_t tid) : tid_(tid) {}
  Tracee(const Tracee&) = delete;
  Tracee& operator=(const Tracee&) = delete;

  /// False with errno set when the kernel refuses.
  bool seize();
  void interrupt();
  void resume();
  void resume_to_system_call();
  void detach(int signal);

  /// The next event within `timeout_ns`; 0 only looks.
  TraceEvent wait(std::uint64_t timeout_ns);

  [[nodiscard]] std::optional<user_regs_struct> registers() const;
  bool set_registers(const user_regs_struct& registers);
  /// The XSAVE image: x87, SSE and whatever the processor has beyond.
  [[nodiscard]] std::vector<std::byte> extended_state() const;
  void set_extended_state(std::span<const std::byte> state);
  [[nodiscard]] std::uint64_t signal_mask() const;
  void set_signal_mask(std::uint64_t mask);

  /// Whole words at an 8-aligned address; works on any mapping, read-only ones too.
  bool write(Address address, std::span<const std::byte> bytes);
  [[nodiscard]] std::optional<std::uint64_t> read_word(Address address) const;

  [[nodiscard]] pid_t tid() const { return tid_; }

 private:
  pid_t tid_;
};

}  // namespace offheap
