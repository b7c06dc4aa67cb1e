// SPDX-License-Identifier: Apache-2.0
#include "attach/seccomp_filter.h"

#include <sys/ptrace.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace offheap {
namespace {

constexpr std::size_t kFilterLimit = 256;
constexpr unsigned long kGetFilter = 0x420c;  // PTRACE_SECCOMP_GET_FILTER, absent from older headers

/// Classic BPF as seccomp allows it: words of seccomp_data, sixteen words of memory, forward jumps.
class Machine {
 public:
  explicit Machine(const seccomp_data& data) : data_(data) {}

  std::uint32_t run(std::span<const sock_filter> filter) {
    for (std::size_t at = 0; at < filter.size();) {
      const sock_filter& step = filter[at];
      if (BPF_CLASS(step.code) == BPF_RET) return BPF_RVAL(step.code) == BPF_A ? a_ : step.k;
      if (!execute(step)) break;
      at += 1 + distance(step);
    }
    return SECCOMP_RET_KILL_PROCESS;
  }

 private:
  bool execute(const sock_filter& step) {
    switch (BPF_CLASS(step.code)) {
      case BPF_LD:
      case BPF_LDX:
        return load(step);
      case BPF_ST:
      case BPF_STX:
        if (step.k >= memory_.size()) return false;
        memory_[step.k] = BPF_CLASS(step.code) == BPF_ST ? a_ : x_;
        return true;
      case BPF_ALU:
        return compute(BPF_OP(step.code), operand(step));
      case BPF_MISC:
        (BPF_MISCOP(step.code) == BPF_TAX ? x_ : a_) = BPF_MISCOP(step.code) == BPF_TAX ? a_ : x_;
        return true;
      default:
        return BPF_CLASS(step.code) == BPF_JMP;
    }
  }

  [[nodiscard]] std::uint32_t operand(const sock_filter& step) const {
    return BPF_SRC(step.code) == BPF_X ? x_ : step.k;
  }

  bool load(const sock_filter& step) {
    std::uint32_t& target = BPF_CLASS(step.code) == BPF_LD ? a_ : x_;
    switch (BPF_MODE(step.code)) {
      case BPF_IMM:
        target = step.k;
        return true;
      case BPF_LEN:
        target = sizeof data_;
        return true;
      case BPF_MEM:
        if (step.k >= memory_.size()) return false;
        target = memory_[step.k];
        return true;
      case BPF_ABS:
        if (step.k % 4 != 0 || step.k > sizeof data_ - 4) return false;
        std::memcpy(&target, reinterpret_cast<const char*>(&data_) + step.k, 4);
        return true;
      default:
        return false;
    }
  }

  bool compute(int operation, std::uint32_t value) {
    switch (operation) {
      case BPF_ADD:
        a_ += value;
        return true;
      case BPF_SUB:
        a_ -= value;
        return true;
      case BPF_MUL:
        a_ *= value;
        return true;
      case BPF_OR:
        a_ |= value;
        return true;
      case BPF_AND:
        a_ &= value;
        return true;
      case BPF_XOR:
        a_ ^= value;
        return true;
      case BPF_NEG:
        a_ = ~a_ + 1;
        return true;
      case BPF_LSH:
        a_ = value < 32 ? a_ << value : 0;
        return true;
      case BPF_RSH:
        a_ = value < 32 ? a_ >> value : 0;
        return true;
      case BPF_DIV:
        if (value == 0) return false;
        a_ /= value;
        return true;
      default:
        return false;
    }
  }

  /// How many instructions are skipped after `step`; beyond the end for an unknown jump.
  [[nodiscard]] std::size_t distance(const sock_filter& step) const {
    if (BPF_CLASS(step.code) != BPF_JMP) return 0;
    const std::uint32_t value = operand(step);
    switch (BPF_OP(step.code)) {
      case BPF_JA:
        return step.k;
      case BPF_JEQ:
        return a_ == value ? step.jt : step.jf;
      case BPF_JGT:
        return a_ > value ? step.jt : step.jf;
      case BPF_JGE:
        return a_ >= value ? step.jt : step.jf;
      case BPF_JSET:
        return (a_ & value) != 0 ? step.jt : step.jf;
      default:
        return kFilterLimit * BPF_MAXINSNS;
    }
  }

  const seccomp_data& data_;
  std::uint32_t a_ = 0;
  std::uint32_t x_ = 0;
  std::array<std::uint32_t, BPF_MEMWORDS> memory_{};
};

}  // namespace

std::uint32_t run_seccomp_filter(std::span<const sock_filter> filter, const seccomp_data& data) {
  return Machine(data).run(filter);
}

std::uint32_t run_seccomp_filters(std::span<const SeccompFilter> filters, const seccomp_data& data) {
  // The kernel compares actions as signed numbers, so that killing the process comes before all.
  std::int32_t strictest = SECCOMP_RET_ALLOW;
  for (const auto& filter : filters)
    strictest = std::min(strictest, static_cast<std::int32_t>(run_seccomp_filter(filter, data)));
  return static_cast<std::uint32_t>(strictest);
}

bool is_allowed(std::uint32_t action) {
  const std::uint32_t kind = action & SECCOMP_RET_ACTION_FULL;
  return kind == SECCOMP_RET_ALLOW || kind == SECCOMP_RET_LOG;
}

std::optional<std::vector<SeccompFilter>> read_seccomp_filters(int tid) {
  std::vector<SeccompFilter> filters;
  const auto request = static_cast<__ptrace_request>(kGetFilter);
  for (std::size_t index = 0; index < kFilterLimit; ++index) {
    const long length = ::ptrace(request, tid, index, nullptr);
    if (length < 0 && errno == ENOENT && index > 0) return filters;
    if (length <= 0 || length > BPF_MAXINSNS) return std::nullopt;
    SeccompFilter filter(static_cast<std::size_t>(length));
    if (::ptrace(request, tid, index, filter.data()) != length) return std::nullopt;
    filters.push_back(std::move(filter));
  }
  return std::nullopt;
}

}  // namespace offheap
