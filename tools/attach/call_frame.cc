// SPDX-License-Identifier: Apache-2.0
#include "attach/call_frame.h"

#include <ucontext.h>
#include <cerrno>
#include <cstring>

#include <algorithm>

namespace offheap {
namespace {

constexpr std::uint64_t kNoSystemCall = ~std::uint64_t{0};
constexpr std::uint64_t kDirectionFlag = 0x400;
constexpr Bytes kSystemCallInstructionBytes = 2;

// How the kernel marks an interrupted system call in rax (include/linux/errno.h).
constexpr std::int64_t kRestart = -512;           // ERESTARTSYS
constexpr std::int64_t kRestartNoHandler = -514;  // ERESTARTNOHAND, with ERESTARTNOINTR between
constexpr std::int64_t kRestartBlock = -516;      // ERESTART_RESTARTBLOCK

constexpr std::uint32_t kFrameMagic = 0x46505853;     // FP_XSTATE_MAGIC1
constexpr std::uint32_t kFrameEndMagic = 0x46505845;  // FP_XSTATE_MAGIC2
constexpr Bytes kSoftwareOffset = 464;                // sw_reserved of the FXSAVE image
constexpr Bytes kLegacyStateBytes = 512;
constexpr int kNoAlternateStackChange = 7;  // invalid on purpose: the kernel then leaves it alone

constexpr std::array<std::uint8_t, 46> kCode = {
    0xff, 0xd0,                                      // call *%rax
    0x48, 0x89, 0x03,                                // mov %rax,(%rbx)
    0x48, 0xc7, 0x43, 0x08, 0x01, 0x00, 0x00, 0x00,  // movq $1,8(%rbx)
    0x31, 0xff, 0x31, 0xf6, 0x31, 0xd2,              // xor %edi,%edi; %esi; %edx
    0x4d, 0x31, 0xd2,                                // xor %r10,%r10
    0x4c, 0x8d, 0x43, 0x10,                          // lea 16(%rbx),%r8
    0xb8, 0x17, 0x00, 0x00, 0x00,                    // mov $23,%eax: select
    0x0f, 0x05,                                      // syscall
    0xb8, 0x0f, 0x00, 0x00, 0x00,                    // mov $15,%eax: rt_sigreturn
    0x0f, 0x05,                                      // syscall
    0x0f, 0x0b, 0x0f, 0x0b, 0x0f, 0x0b,              // ud2: never reached
};

struct SoftwareWords {
  std::uint32_t magic = kFrameMagic;
  std::uint32_t extended_bytes = 0;
  std::uint64_t features = 0;
  std::uint32_t state_bytes = 0;
  std::array<std::uint32_t, 7> padding{};
};

void put_registers(const user_regs_struct& from, greg_t* to) {
  const std::array<unsigned long long, 17> values = {
      from.r8,  from.r9,  from.r10, from.r11, from.r12, from.r13, from.r14, from.r15, from.rdi,
      from.rsi, from.rbp, from.rbx, from.rdx, from.rax, from.rcx, from.rsp, from.rip};
  static_assert(REG_R8 == 0 && REG_RDI == 8 && REG_RIP == 16 && REG_EFL == 17 && REG_CSGSFS == 18);
  std::copy(values.begin(), values.end(), to);
  to[REG_EFL] = static_cast<greg_t>(from.eflags);
  to[REG_CSGSFS] = static_cast<greg_t>((from.cs & 0xffff) | (from.ss & 0xffff) << 48);
}

/// `registers` with an interrupted system call turned into one that user code makes again.
user_regs_struct with_restart(user_regs_struct registers) {
  const auto result = static_cast<std::int64_t>(registers.rax);
  if (registers.orig_rax == kNoSystemCall) return registers;
  if (result <= kRestart && result >= kRestartNoHandler) {
    registers.rax = registers.orig_rax;
    registers.rip -= kSystemCallInstructionBytes;
  } else if (result == kRestartBlock) {
    registers.rax = static_cast<unsigned long long>(-EINTR);
  }
  return registers;
}

void put_extended_state(const std::vector<std::byte>& state, std::byte* to) {
  std::memcpy(to, state.data(), state.size());
  SoftwareWords words;
  // ptrace leaves the processor's feature mask (XCR0) where the signal frame has its own words.
  std::memcpy(&words.features, state.data() + kSoftwareOffset, sizeof words.features);
  words.state_bytes = static_cast<std::uint32_t>(state.size());
  words.extended_bytes = words.state_bytes + sizeof kFrameEndMagic;
  std::memcpy(to + kSoftwareOffset, &words, sizeof words);
  std::memcpy(to + state.size(), &kFrameEndMagic, sizeof kFrameEndMagic);
}

}  // namespace

std::span<const std::byte> call_code() { return std::as_bytes(std::span(kCode)); }

std::vector<std::byte> return_frame(const CallArea& area, const SavedThread& saved) {
  const Bytes state_offset = area.extended_state() - area.stack_top();
  const Bytes state_bytes = std::min(saved.extended_state.size(), std::size_t{64 * 1024});
  std::vector<std::byte> bytes(state_offset + state_bytes + sizeof kFrameEndMagic);
  ucontext_t context{};
  constexpr unsigned long kHasExtendedState = 1;
  constexpr unsigned long kRestoreStackSegment = 2 | 4;  // UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS
  context.uc_flags = kRestoreStackSegment;
  context.uc_stack.ss_flags = kNoAlternateStackChange;
  put_registers(with_restart(saved.registers), context.uc_mcontext.gregs);
  if (state_bytes > kLegacyStateBytes) {
    context.uc_flags |= kHasExtendedState;
    put_extended_state(saved.extended_state, bytes.data() + state_offset);
    const Address address = area.extended_state();
    std::memcpy(&context.uc_mcontext.fpregs, &address, sizeof address);
  }
  std::memcpy(&context.uc_sigmask, &saved.signal_mask, sizeof saved.signal_mask);
  static_assert(offsetof(ucontext_t, uc_sigmask) == 296);  // where the kernel looks for it
  std::memcpy(bytes.data(), &context, offsetof(ucontext_t, uc_sigmask) + sizeof saved.signal_mask);
  return bytes;
}

user_regs_struct call_registers(const CallArea& area, const SavedThread& saved, Address function,
                                std::span<const std::uint64_t> arguments) {
  user_regs_struct registers = saved.registers;
  const std::array<unsigned long long*, 6> slots = {&registers.rdi, &registers.rsi, &registers.rdx,
                                                    &registers.rcx, &registers.r8,  &registers.r9};
  for (std::size_t i = 0; i < std::min(slots.size(), arguments.size()); ++i) *slots[i] = arguments[i];
  registers.rax = function;
  registers.rbx = area.control();
  registers.rbp = 0;
  registers.rsp = area.stack_top();
  registers.rip = area.base;
  registers.eflags &= ~kDirectionFlag;
  registers.orig_rax = kNoSystemCall;
  return registers;
}

user_regs_struct system_call_registers(const SavedThread& saved, std::uint64_t number,
                                       std::span<const std::uint64_t> arguments) {
  user_regs_struct registers = saved.registers;
  const std::array<unsigned long long*, 6> slots = {&registers.rdi, &registers.rsi, &registers.rdx,
                                                    &registers.r10, &registers.r8,  &registers.r9};
  for (std::size_t i = 0; i < std::min(slots.size(), arguments.size()); ++i) *slots[i] = arguments[i];
  registers.rax = number;
  registers.rip -= kSystemCallInstructionBytes;
  registers.orig_rax = kNoSystemCall;
  return registers;
}

}  // namespace offheap
