// SPDX-License-Identifier: Apache-2.0
//
// find_thread_stacks on this process: waiting, running and dead threads, small stacks and large ones.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "procfs/process_memory.h"
#include "procfs/thread_stacks.h"

namespace offheap {
namespace {

struct Worker {
  std::atomic<bool>* stop = nullptr;
  bool busy = false;
  std::atomic<std::uint32_t> tid{0};
  std::atomic<Address> local{0};
};

void* run(void* argument) {
  auto* worker = static_cast<Worker*>(argument);
  worker->local = reinterpret_cast<Address>(&argument);
  worker->tid = static_cast<std::uint32_t>(::gettid());
  while (!*worker->stop)
    if (!worker->busy)
      worker->stop->wait(false);  // in the kernel, so that its stack pointer can be read
  return nullptr;
}

/// Until the worker waits in futex, which takes its time on a busy machine: std::atomic spins and
/// yields before.
void wait_until_asleep(const Worker& worker) {
  while (worker.tid == 0) ::usleep(100);
  const auto path = "/proc/self/task/" + std::to_string(worker.tid) + "/syscall";
  for (int i = 0; i < 20000 && !worker.busy; ++i) {
    std::string call;
    std::ifstream(path) >> call;
    if (call == std::to_string(SYS_futex)) return;
    ::usleep(500);
  }
}

std::vector<ThreadStack> find() {
  const auto process = Process::open(::getpid());
  const auto memory = ProcessMemory::open(*process);
  const auto mappings = process->read_smaps();
  // A process cannot stop its own threads; what waits is enough here.
  const auto stacks = find_thread_stacks(*process, *memory, *mappings, false);
  return stacks.ok() ? *stacks : std::vector<ThreadStack>{};
}

TEST(ThreadStacks, LivingThreadsOfAllSizes_AreFoundWithTheirBounds) {
  std::atomic<bool> stop{false};
  std::vector<Worker> workers(24);
  std::vector<pthread_t> threads;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    workers[i].stop = &stop;
    workers[i].busy = i == 5;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, i % 2 != 0 ? 64 * 1024 : 8 << 20);
    if (i % 3 == 0) pthread_attr_setguardsize(&attributes, 0);
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, &attributes, run, &workers[i]), 0);
    threads.push_back(thread);
    pthread_attr_destroy(&attributes);
  }
  for (const auto& worker : workers) wait_until_asleep(worker);
  std::map<std::uint32_t, ThreadStack> by_tid;
  for (const auto& stack : find()) by_tid.emplace(stack.tid, stack);
  for (const auto& worker : workers) {
    ASSERT_TRUE(by_tid.contains(worker.tid)) << "worker " << &worker - workers.data();
    EXPECT_TRUE(by_tid[worker.tid].range.contains(worker.local));
    EXPECT_LE(by_tid[worker.tid].range.size(), Bytes{9} << 20);
  }
  EXPECT_TRUE(by_tid.contains(static_cast<std::uint32_t>(::getpid())));
  stop = true;
  stop.notify_all();
  for (const auto thread : threads) pthread_join(thread, nullptr);
}

TEST(ThreadStacks, DeadThreads_LeaveCachedStacks) {
  std::atomic<bool> stop{false};
  std::vector<Worker> workers(3);
  std::vector<std::thread> threads;
  for (auto& worker : workers) {
    worker.stop = &stop;
    threads.emplace_back(run, &worker);
  }
  for (auto& worker : workers)
    while (worker.tid == 0) ::usleep(100);
  std::atomic<bool> stop_other{false};
  Worker other;
  other.stop = &stop_other;
  std::thread alive(run, &other);
  wait_until_asleep(other);
  stop = true;
  stop.notify_all();
  for (auto& thread : threads) thread.join();
  // Atomics share their futexes: to wake one may have woken the other.
  ::usleep(5000);
  wait_until_asleep(other);
  const auto stacks = find();
  for (const auto& worker : workers) {
    const bool cached = std::any_of(stacks.begin(), stacks.end(), [&](const ThreadStack& stack) {
      return stack.tid == 0 && stack.range.contains(worker.local);
    });
    EXPECT_TRUE(cached) << "the stack of dead thread " << worker.tid;
  }
  stop_other = true;
  stop_other.notify_all();
  alive.join();
}

}  // namespace
}  // namespace offheap
