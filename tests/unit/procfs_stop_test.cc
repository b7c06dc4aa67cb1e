// SPDX-License-Identifier: Apache-2.0
//
// Stop on children that count: whether they stand still, go on, and keep their signals and states.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "procfs/stop.h"

namespace offheap {
namespace {

struct Shared {
  std::atomic<std::uint64_t> counts[16];
  std::atomic<std::uint64_t> signals;
  std::atomic<bool> ready;
};

Shared* g_shared = nullptr;

/// Forks a child that runs `body`, and kills it at the end.
class Counting {
 public:
  explicit Counting(const std::function<void()>& body) {
    g_shared = static_cast<Shared*>(
        ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    pid_ = ::fork();
    if (pid_ == 0) {
      body();
      ::_exit(0);
    }
    while (!g_shared->ready) ::usleep(100);
  }
  ~Counting() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::munmap(g_shared, sizeof(Shared));
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

void count_forever(std::size_t index) {
  for (;;) ++g_shared->counts[index];
}

void count_on_four_threads() {
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 4; ++i) threads.emplace_back(count_forever, i);
  g_shared->ready = true;
  ::pause();
}

std::uint64_t sum() {
  std::uint64_t total = 0;
  for (const auto& count : g_shared->counts) total += count;
  return total;
}

void expect_running() {
  const auto before = sum();
  for (int i = 0; i < 5000 && sum() == before; ++i) ::usleep(1000);
  EXPECT_NE(sum(), before);
}

TEST(Stop, AllThreads_StandStillAndGoOn) {
  const Counting target(count_on_four_threads);
  const auto process = Process::open(target.pid());
  for (int i = 0; i < 5; ++i) {
    auto stop = Stop::all_threads(*process);
    ASSERT_TRUE(stop.ok()) << stop.error().what;
    EXPECT_EQ(stop->thread_count(), 5U);
    const auto before = sum();
    ::usleep(20'000);
    EXPECT_EQ(sum(), before);
    const auto pause_ns = stop->resume();
    EXPECT_GE(pause_ns, 20'000'000U);
    EXPECT_EQ(stop->pause_ns(), pause_ns);
    expect_running();
  }
}

TEST(Stop, ThreadsBornMeanwhile_AreStoppedToo) {
  const Counting target([] {
    g_shared->ready = true;
    for (;;) {
      std::thread a([] { ++g_shared->counts[0]; });
      std::thread b([] { ++g_shared->counts[1]; });
      a.join();
      b.join();
    }
  });
  const auto process = Process::open(target.pid());
  for (int i = 0; i < 30; ++i) {
    auto stop = Stop::all_threads(*process);
    ASSERT_TRUE(stop.ok()) << stop.error().what;
    const auto before = sum();
    ::usleep(2000);
    EXPECT_EQ(sum(), before);
  }
  expect_running();
}

TEST(Stop, SignalsSentMeanwhile_AreAllDelivered) {
  const Counting target([] {
    ::signal(SIGUSR1, [](int) { ++g_shared->signals; });
    g_shared->ready = true;
    count_forever(0);
  });
  const auto process = Process::open(target.pid());
  constexpr std::uint64_t kSignals = 100;
  for (std::uint64_t i = 0; i < kSignals; ++i) {
    ::kill(target.pid(), SIGUSR1);
    { const auto stop = Stop::all_threads(*process); }
    for (int wait = 0; wait < 1000 && g_shared->signals <= i; ++wait) ::usleep(1000);
    ASSERT_EQ(g_shared->signals, i + 1);
  }
}

TEST(Stop, JobControlStop_IsKept) {
  const Counting target(count_on_four_threads);
  ::kill(target.pid(), SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(target.pid(), &status, WUNTRACED), target.pid());
  const auto process = Process::open(target.pid());
  { ASSERT_TRUE(Stop::all_threads(*process).ok()); }
  ::usleep(10'000);
  const auto before = sum();
  ::usleep(10'000);
  EXPECT_EQ(sum(), before);
  ::kill(target.pid(), SIGCONT);
  expect_running();
}

TEST(Stop, LeaderThatEndedBeforeItsThreads_IsNoObstacle) {
  const Counting target([] {
    std::thread(count_forever, 0).detach();
    g_shared->ready = true;
    ::syscall(SYS_exit, 0);  // this thread alone
  });
  ::usleep(20'000);
  const auto process = Process::open(target.pid());
  ASSERT_TRUE(process.ok());
  {
    const auto stop = Stop::all_threads(*process);
    ASSERT_TRUE(stop.ok()) << stop.error().what;
    const auto before = sum();
    ::usleep(5000);
    EXPECT_EQ(sum(), before);
  }
  expect_running();
}

TEST(Stop, TracedByAnother_NamesTheTracer) {
  const Counting target(count_on_four_threads);
  const auto process = Process::open(target.pid());
  ASSERT_EQ(::ptrace(PTRACE_SEIZE, target.pid(), nullptr, nullptr), 0);
  const auto stop = Stop::all_threads(*process);
  ASSERT_FALSE(stop.ok());
  EXPECT_EQ(stop.error().what, "the process is already traced by pid " + std::to_string(::gettid()));
  expect_running();
}

TEST(Stop, TracerDies_TargetRunsOn) {
  const Counting target(count_on_four_threads);
  const pid_t tool = ::fork();
  if (tool == 0) {
    const auto process = Process::open(target.pid());
    const auto stop = Stop::all_threads(*process);
    ::_exit(stop.ok() ? 0 : 1);  // no destructor runs
  }
  int status = 0;
  ::waitpid(tool, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  expect_running();
}

TEST(Stop, TargetKilledMeanwhile_IsANormalOutcome) {
  const Counting target(count_on_four_threads);
  const auto process = Process::open(target.pid());
  auto stop = Stop::all_threads(*process);
  ASSERT_TRUE(stop.ok());
  ::kill(target.pid(), SIGKILL);
  stop->resume();
  while (!process->exited()) ::usleep(100);
  const auto again = Stop::all_threads(*process);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().what, "the process exited while it was being read");
}

}  // namespace
}  // namespace offheap
