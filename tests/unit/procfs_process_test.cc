// SPDX-License-Identifier: Apache-2.0
//
// Process and ProcessMemory on this very process, on a child that ends, and on what is no process.
#include <gtest/gtest.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "procfs/process_memory.h"
#include "procfs/stop.h"
#include "zero_page.h"

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

/// A child with the number `pid`, which is free; -1 where the kernel or our rights do not allow that.
pid_t fork_with_pid(pid_t pid) {
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  arguments.set_tid = reinterpret_cast<std::uint64_t>(&pid);
  arguments.set_tid_size = 1;
  return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
}

// The successor is this program too, so that all of its memory and its files would look right.
TEST(Process, NumberThatIsAnothersByNow_IsNotTakenForIt) {
  const pid_t first = ::fork();
  if (first == 0) {
    ::pause();
    ::_exit(0);
  }
  const auto process = Process::open(first);
  ASSERT_TRUE(process.ok());
  const auto memory = ProcessMemory::open(*process);
  ASSERT_TRUE(memory.ok());
  const auto address = reinterpret_cast<Address>(&first);
  ASSERT_TRUE(memory->read_value<pid_t>(address).has_value());
  ASSERT_TRUE(process->has_thread(first));
  ::kill(first, SIGKILL);
  ::waitpid(first, nullptr, 0);
  const pid_t second = fork_with_pid(first);
  if (second == 0) {
    ::pause();
    ::_exit(0);
  }
  if (second < 0) GTEST_SKIP() << "no right to choose a number (CAP_CHECKPOINT_RESTORE)";
  ASSERT_EQ(second, first);
  ASSERT_TRUE(Process::open(second).ok());
  EXPECT_TRUE(process->exited());
  EXPECT_FALSE(process->has_thread(first));
  for (const char* name : {"maps", "cmdline", "status", "mountinfo"})
    EXPECT_FALSE(process->read(name).ok()) << name;
  EXPECT_EQ(process->read_smaps().error().what, "the process exited while it was being read");
  EXPECT_FALSE(memory->read_value<pid_t>(address).has_value());
  EXPECT_FALSE(Stop::all_threads(*process).ok());
  ::kill(second, SIGKILL);
  ::waitpid(second, nullptr, 0);
}

/// What the kernel holds of this process's memory, as PR_SET_MM_MAP takes it.
prctl_mm_map own_map() {
  std::ifstream file("/proc/self/stat");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  std::istringstream words(text.substr(text.rfind(')') + 2));
  std::vector<std::string> fields = {"", "", ""};
  for (std::string word; words >> word;) fields.push_back(word);
  const auto field = [&](std::size_t number) { return std::stoull(fields[number]); };
  prctl_mm_map map{};
  map.start_code = field(26);
  map.end_code = field(27);
  map.start_stack = field(28);
  map.start_data = field(45);
  map.end_data = field(46);
  map.start_brk = field(47);
  map.brk = reinterpret_cast<std::uint64_t>(::sbrk(0));
  map.arg_start = field(48);
  map.arg_end = field(49);
  map.env_start = field(50);
  map.env_end = field(51);
  map.exe_fd = static_cast<std::uint32_t>(-1);
  return map;
}

// It takes no right to say where one's command line ends, and here it has no end worth reading up to.
TEST(Process, CommandLineOfAllMemory_IsRefused) {
  constexpr std::size_t kBytes = std::size_t{1} << 38;
  const pid_t child = ::fork();
  if (child == 0) {
    void* zeros = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    auto map = own_map();
    map.arg_start = reinterpret_cast<std::uint64_t>(zeros);
    map.arg_end = map.arg_start + kBytes;
    if (::prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0) != 0) ::_exit(1);
    ::raise(SIGSTOP);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, WUNTRACED);
  if (WIFEXITED(status)) GTEST_SKIP() << "this kernel has no PR_SET_MM_MAP";
  const auto process = Process::open(child);
  ASSERT_TRUE(process.ok());
  const auto words = process->read_cmdline();
  ASSERT_FALSE(words.ok());
  EXPECT_EQ(words.error().what, "cannot read the process: File too large");
  EXPECT_TRUE(process->read_comm().ok());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
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
    if (page == 1 && !(memory->excludes_zero_pages() && kernel_has_zero_page())) continue;
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
