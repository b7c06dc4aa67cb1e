// SPDX-License-Identifier: Apache-2.0
//
// Process and ProcessMemory on this very process, on a child that ends, and on what is no process.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "procfs/process_memory.h"

namespace offheap {
namespace {

TEST(ParseStat, CommandWithSpacesAndBrackets_IsSkipped) {
  const auto times =
      parse_stat("12 (a) b (c) S 1 12 12 0 -1 4194560 5 6 7 8 101 102 0 0 20 0 1 0 9999 1 2 3");
  ASSERT_TRUE(times.ok());
  EXPECT_EQ(times->state, 'S');
  EXPECT_EQ(times->flags, 4194560U);
  EXPECT_EQ(times->user_ticks, 101U);
  EXPECT_EQ(times->system_ticks, 102U);
  EXPECT_EQ(times->start_ticks, 9999U);
}

TEST(ParseStat, TruncatedOrEmpty_IsAnError) {
  EXPECT_FALSE(parse_stat("").ok());
  EXPECT_FALSE(parse_stat("12 (a) S 1 2").ok());
  EXPECT_FALSE(parse_stat("12 (a S 1 12 12 0 -1 4194560 5 6 7 8 9 10").ok());
}

TEST(Process, Self_ReadsWhatTheKernelSays) {
  const auto process = Process::open(::getpid());
  ASSERT_TRUE(process.ok());
  EXPECT_FALSE(process->exited());
  EXPECT_GT(process->start_ticks(), 0U);
  EXPECT_EQ(*process->read_uid(), ::geteuid());
  EXPECT_EQ(process->read_namespace_pids()->back(), ::getpid());
  EXPECT_EQ(process->read_auxv()->at(6), 4096U);  // AT_PAGESZ
  EXPECT_EQ(process->read_cmdline()->empty(), false);
  EXPECT_EQ(process->read_environ()->at("PATH"), ::getenv("PATH"));
  EXPECT_EQ(process->read_status()->at("Pid"), std::to_string(::getpid()));
  EXPECT_FALSE(process->read_exe()->empty());
  EXPECT_FALSE(process->read_cgroup()->empty());
  const auto threads = process->read_threads();
  EXPECT_EQ(threads->front().tid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(threads->front().name, *process->read_comm());
  const auto mappings = process->read_smaps();
  const auto local = reinterpret_cast<Address>(&mappings);
  EXPECT_TRUE(std::any_of(mappings->begin(), mappings->end(), [local](const Mapping& m) {
    return m.range.contains(local) && m.path == "[stack]";
  }));
}

TEST(Process, NoSuchPid_SaysSo) {
  const auto process = Process::open(0x3ffffff);
  ASSERT_FALSE(process.ok());
  EXPECT_EQ(process.error().what, "no such process");
  EXPECT_EQ(process.error().code, ErrorCode::kUnreadable);
  EXPECT_FALSE(Process::open(-1).ok());
}

TEST(Process, ThreadId_IsNotTakenForAProcess) {
  pid_t tid = 0;
  std::thread([&] {
    tid = ::gettid();
    const auto process = Process::open(tid);
    ASSERT_FALSE(process.ok());
    EXPECT_EQ(process.error().what, "this is a thread's id, not a process's");
  }).join();
}

TEST(Process, Exit_IsANormalOutcomeWithItsOwnWords) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  const auto process = Process::open(child);
  ASSERT_TRUE(process.ok());
  const auto memory = ProcessMemory::open(*process);
  ASSERT_TRUE(memory.ok());
  ASSERT_TRUE(process->read_smaps().ok());
  ::kill(child, SIGKILL);
  while (!process->exited()) ::usleep(100);
  for (const bool reaped : {false, true}) {
    if (reaped) ::waitpid(child, nullptr, 0);
    EXPECT_TRUE(process->exited());
    const auto smaps = process->read_smaps();
    ASSERT_FALSE(smaps.ok());
    EXPECT_EQ(smaps.error().what, "the process exited while it was being read");
    EXPECT_FALSE(memory->read_value<int>(reinterpret_cast<Address>(&child)).has_value());
  }
}

TEST(Process, WithoutTheRight_NamesIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to drop its rights";
  const pid_t target = ::getpid();
  const pid_t reader = ::fork();
  if (reader == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(9);
    const auto process = Process::open(target);
    if (!process) ::_exit(8);
    const auto memory = ProcessMemory::open(*process);
    if (memory.ok() || memory.error().what != "no permission to read the process") ::_exit(7);
    ::_exit(memory.error().remedy.find("CAP_SYS_PTRACE") != std::string::npos ? 0 : 6);
  }
  int status = 0;
  ::waitpid(reader, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(ProcessMemory, ResidentPages_AreThoseTouchedAndNoZeroPages) {
  constexpr std::size_t kPages = 2000;
  auto* base = static_cast<std::byte*>(
      ::mmap(nullptr, kPages * kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(base, MAP_FAILED);
  ::madvise(base, kPages * kPageBytes, MADV_NOHUGEPAGE);
  for (std::size_t page = 0; page < kPages; page += 3) base[page * kPageBytes] = std::byte{1};
  volatile auto sink = base[kPageBytes];  // maps the zero page
  (void)sink;
  const auto process = Process::open(::getpid());
  const auto memory = ProcessMemory::open(*process);
  const auto begin = reinterpret_cast<Address>(base);
  const auto pages = memory->resident_pages({begin, begin + kPages * kPageBytes});
  ASSERT_EQ(pages.size(), kPages);
  for (std::size_t page = 0; page < kPages; ++page) {
    if (page == 1 && !memory->excludes_zero_pages()) continue;
    EXPECT_EQ(pages[page], page % 3 == 0) << page;
  }
  ::munmap(base, kPages * kPageBytes);
}

TEST(ProcessMemory, ReadAcrossAHole_IsShort) {
  auto* base = static_cast<std::byte*>(
      ::mmap(nullptr, 2 * kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(base, MAP_FAILED);
  std::fill(base, base + kPageBytes, std::byte{7});
  ::munmap(base + kPageBytes, kPageBytes);
  const auto process = Process::open(::getpid());
  const auto memory = ProcessMemory::open(*process);
  std::vector<std::byte> out(2 * kPageBytes);
  const auto begin = reinterpret_cast<Address>(base);
  EXPECT_EQ(memory->read(begin, out), kPageBytes);
  EXPECT_EQ(out[kPageBytes - 1], std::byte{7});
  EXPECT_EQ(memory->read(begin + kPageBytes, out), 0U);
  ::munmap(base, kPageBytes);
}

}  // namespace
}  // namespace offheap
