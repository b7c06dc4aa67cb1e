// SPDX-License-Identifier: Apache-2.0
//
// The parts of a call into a process that are pure: who may be borrowed, what a seccomp filter would
// say, and what the kernel is given to put the thread back.
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include <cerrno>
#include <cstring>

#include "attach/call_frame.h"
#include "attach/seccomp_filter.h"
#include "attach/waiting_thread.h"

namespace offheap {
namespace {

WaitingThread waiting_in(long number, std::uint64_t second_argument = 0) {
  WaitingThread thread;
  thread.system_call = number;
  thread.arguments[1] = second_argument;
  return thread;
}

TEST(WaitingThread, IsReadFromTheKernelsLine) {
  const auto thread = parse_waiting_thread(7, "0 0x3 0x7ffd 0x40 0x1 0x2 0x0 0x7ffe10 0x7f10\n");
  ASSERT_TRUE(thread);
  EXPECT_EQ(thread->tid, 7u);
  EXPECT_EQ(thread->system_call, SYS_read);
  EXPECT_EQ(thread->arguments[2], 0x40u);
  EXPECT_EQ(thread->stack_pointer, 0x7ffe10u);
  EXPECT_EQ(thread->instruction_pointer, 0x7f10u);
}

TEST(WaitingThread, IsNoneForAnythingElse) {
  for (const char* text : {"running\n", "-1 0x7ffe10 0x7f10\n", "", "0", "0 0x3 0x4\n",
                           "0 3 4 5 6 7 8 9 10\n", "0 0x 0x 0x 0x 0x 0x 0x 0x\n"})
    EXPECT_FALSE(parse_waiting_thread(1, text)) << text;
}

TEST(WaitingThread, MayBeBorrowedWhereItHoldsNoLock) {
  EXPECT_EQ(rank_of_wait(waiting_in(SYS_read), "pipe:[123]"), 0);
  EXPECT_EQ(rank_of_wait(waiting_in(SYS_read), "socket:[5]"), 0);
  EXPECT_FALSE(rank_of_wait(waiting_in(SYS_read), "/usr/lib/libplugin.so"));
  EXPECT_FALSE(rank_of_wait(waiting_in(SYS_read), ""));
  EXPECT_FALSE(rank_of_wait(waiting_in(SYS_madvise), ""));
  EXPECT_FALSE(rank_of_wait(waiting_in(SYS_mmap), ""));
  EXPECT_LT(rank_of_wait(waiting_in(SYS_poll), ""), rank_of_wait(waiting_in(SYS_epoll_wait), ""));
  constexpr std::uint64_t kWaitPrivate = 128;
  constexpr std::uint64_t kWaitBitsetPrivateRealtime = 9 | 128 | 256;
  EXPECT_FALSE(rank_of_wait(waiting_in(SYS_futex, kWaitPrivate), ""));
  EXPECT_TRUE(rank_of_wait(waiting_in(SYS_futex, kWaitBitsetPrivateRealtime), ""));
}

constexpr sock_filter kDenyMmap[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

seccomp_data data_of(int number, std::uint32_t architecture = AUDIT_ARCH_X86_64) {
  seccomp_data data{};
  data.nr = number;
  data.arch = architecture;
  return data;
}

TEST(SeccompFilter, SaysWhatTheKernelWould) {
  EXPECT_EQ(run_seccomp_filter(kDenyMmap, data_of(SYS_mmap)), SECCOMP_RET_ERRNO | 1u);
  EXPECT_EQ(run_seccomp_filter(kDenyMmap, data_of(SYS_read)), SECCOMP_RET_ALLOW);
  EXPECT_EQ(run_seccomp_filter(kDenyMmap, data_of(SYS_read, AUDIT_ARCH_I386)),
            SECCOMP_RET_KILL_PROCESS);
}

TEST(SeccompFilter, ComputesWithArgumentsAndMemory) {
  const sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 32),  // the low half of the third argument
      BPF_STMT(BPF_ST, 3),
      BPF_STMT(BPF_LDX | BPF_MEM, 3),
      BPF_STMT(BPF_LD | BPF_IMM, 4),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_X, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 4, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_THREAD),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_LOG),
  };
  auto data = data_of(SYS_mmap);
  data.args[2] = 7;
  EXPECT_EQ(run_seccomp_filter(steps, data), SECCOMP_RET_KILL_THREAD);
  data.args[2] = 3;
  EXPECT_EQ(run_seccomp_filter(steps, data), SECCOMP_RET_LOG);
  EXPECT_TRUE(is_allowed(SECCOMP_RET_LOG));
  EXPECT_FALSE(is_allowed(SECCOMP_RET_ERRNO | 1));
}

TEST(SeccompFilter, TheStrictestOfSeveralCounts) {
  const SeccompFilter allow = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const SeccompFilter kill = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
  const SeccompFilter fail = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 13)};
  EXPECT_EQ(run_seccomp_filters(std::vector{allow, fail}, data_of(1)), SECCOMP_RET_ERRNO | 13u);
  EXPECT_EQ(run_seccomp_filters(std::vector{kill, fail}, data_of(1)), SECCOMP_RET_KILL_PROCESS);
}

TEST(SeccompFilter, AProgramThatIsNoneKills) {
  const SeccompFilter endless = {BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff)};
  const SeccompFilter no_return = {BPF_STMT(BPF_LD | BPF_IMM, 1)};
  const SeccompFilter outside = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), BPF_STMT(BPF_RET | BPF_A, 0)};
  const SeccompFilter by_zero = {BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), BPF_STMT(BPF_RET | BPF_A, 0)};
  const SeccompFilter no_such_word = {BPF_STMT(BPF_ST, 16),
                                      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  for (const auto& filter : {endless, no_return, outside, by_zero, no_such_word})
    EXPECT_EQ(run_seccomp_filter(filter, data_of(1)), SECCOMP_RET_KILL_PROCESS);
}

class ReturnFrame : public testing::Test {
 protected:
  ReturnFrame() {
    area_.base = 0x7f0000000000;
    saved_.registers.rip = 0x401002;
    saved_.registers.rsp = 0x7ffe1000;
    saved_.registers.orig_rax = SYS_read;
    saved_.registers.cs = 0x33;
    saved_.registers.ss = 0x2b;
    saved_.registers.r12 = 12;
    saved_.signal_mask = 0x1234;
    saved_.extended_state.assign(2696, std::byte{7});
  }
  ucontext_t frame(std::int64_t result) {
    saved_.registers.rax = static_cast<unsigned long long>(result);
    const auto bytes = return_frame(area_, saved_);
    ucontext_t context{};
    std::memcpy(&context, bytes.data(), 304);
    return context;
  }
  CallArea area_;
  SavedThread saved_;
};

TEST_F(ReturnFrame, RestartsWhatTheKernelWouldRestart) {
  for (const std::int64_t result : {-512, -513, -514}) {
    const auto context = frame(result);
    EXPECT_EQ(context.uc_mcontext.gregs[REG_RIP], 0x401000);
    EXPECT_EQ(context.uc_mcontext.gregs[REG_RAX], SYS_read);
  }
}

TEST_F(ReturnFrame, EndsAWaitWithATimeLimit) {
  const auto context = frame(-516);
  EXPECT_EQ(context.uc_mcontext.gregs[REG_RIP], 0x401002);
  EXPECT_EQ(context.uc_mcontext.gregs[REG_RAX], -EINTR);
}

TEST_F(ReturnFrame, KeepsAResultAndAllElse) {
  const auto context = frame(5);
  EXPECT_EQ(context.uc_mcontext.gregs[REG_RIP], 0x401002);
  EXPECT_EQ(context.uc_mcontext.gregs[REG_RAX], 5);
  EXPECT_EQ(context.uc_mcontext.gregs[REG_R12], 12);
  EXPECT_EQ(context.uc_mcontext.gregs[REG_RSP], 0x7ffe1000);
  EXPECT_EQ(context.uc_mcontext.gregs[REG_CSGSFS], 0x33 | 0x2bLL << 48);
  std::uint64_t mask = 0;
  std::memcpy(&mask, &context.uc_sigmask, sizeof mask);
  EXPECT_EQ(mask, 0x1234u);
  EXPECT_EQ(reinterpret_cast<Address>(context.uc_mcontext.fpregs), area_.extended_state());
  EXPECT_EQ(area_.extended_state() % 64, 0u);
}

TEST_F(ReturnFrame, FitsIntoItsRoom) {
  saved_.extended_state.assign(64 * 1024, std::byte{1});
  EXPECT_LE(return_frame(area_, saved_).size(), CallArea::kFrameBytes);
  EXPECT_EQ(area_.stack_top() % 16, 0u);
  EXPECT_EQ(area_.text().end - area_.base, CallArea::kTotalBytes);
}

TEST_F(ReturnFrame, CallsStartWithTheirArguments) {
  saved_.registers.eflags = 0x646;  // the direction flag among others
  const auto registers =
      call_registers(area_, saved_, 0x1234, std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6});
  EXPECT_EQ(registers.rdi, 1u);
  EXPECT_EQ(registers.rcx, 4u);
  EXPECT_EQ(registers.r9, 6u);
  EXPECT_EQ(registers.rax, 0x1234u);
  EXPECT_EQ(registers.rsp, area_.stack_top());
  EXPECT_EQ(registers.eflags & 0x400, 0u);
  EXPECT_EQ(registers.orig_rax, ~0ULL);
}

}  // namespace
}  // namespace offheap
