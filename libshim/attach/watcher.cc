// SPDX-License-Identifier: Apache-2.0
#include "libshim/attach/watcher.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "libshim/process.h"
#include "libshim/raw_syscall.h"
#include "libshim/thread_state.h"

namespace shim {
namespace {

constexpr long kPollNs = 100'000'000;
// Calls that bind late change no count of objects.
constexpr uint32_t kPollsBetweenFullLooks = 20;
constexpr size_t kStackBytes = 256 * 1024;

pthread_mutex_t alone = PTHREAD_MUTEX_INITIALIZER;
pthread_t thread;
int thread_pid = 0;
uint32_t stopping = 0;
const SlotWork* watched = nullptr;

/// Waits a poll's time, or until told to stop; then false.
bool wait_for_poll() {
  timespec time{0, kPollNs};
  if (__atomic_load_n(&stopping, __ATOMIC_ACQUIRE)) return false;
  raw_syscall(SYS_futex, reinterpret_cast<long>(&stopping), FUTEX_WAIT_PRIVATE, 0,
              reinterpret_cast<long>(&time));
  return !__atomic_load_n(&stopping, __ATOMIC_ACQUIRE);
}

/// The loader's count without the loader's list held across a fork.
bool objects_changed(const SlotResult& last) {
  uint64_t adds = 0;
  uint64_t subs = 0;
  pthread_mutex_lock(&alone);
  count_objects(&adds, &subs);
  pthread_mutex_unlock(&alone);
  return adds != last.adds || subs != last.subs;
}

void* watch(void*) {
  pthread_setname_np(pthread_self(), "offheap");
  thread_state.inside = true;  // what the loader allocates on our account is no sample
  SlotResult last{};
  for (uint32_t poll = 1; wait_for_poll(); ++poll) {
    if (poll % kPollsBetweenFullLooks && !last.unfinished_count && !objects_changed(last)) continue;
    last = exchange_slots_alone(*watched);
  }
  return nullptr;
}

/// All signals stay with the program's own threads.
bool start_thread() {
  pthread_attr_t attributes;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool started = pthread_create(&thread, &attributes, watch, nullptr) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return started;
}

/// A fork from within a callback of the loader's list, for which a look may be waiting, must not wait
/// for that look: it gives up after a while.
bool fork_has_lock = false;
void before_fork() {
  timespec deadline;
  clock_gettime(CLOCK_REALTIME, &deadline);
  deadline.tv_nsec += kPollNs;
  if (deadline.tv_nsec >= 1'000'000'000) {
    deadline.tv_nsec -= 1'000'000'000;
    ++deadline.tv_sec;
  }
  fork_has_lock = pthread_mutex_timedlock(&alone, &deadline) == 0;
}
void after_fork_in_parent() {
  if (fork_has_lock) pthread_mutex_unlock(&alone);
}
void after_fork_in_child() { alone = PTHREAD_MUTEX_INITIALIZER; }

}  // namespace

SlotResult exchange_slots_alone(const SlotWork& work) {
  pthread_mutex_lock(&alone);
  SlotResult result = exchange_slots(work);
  pthread_mutex_unlock(&alone);
  return result;
}

bool start_watching(const SlotWork& work, SlotResult* first) {
  watched = &work;
  stopping = 0;
  if (!start_thread()) return false;
  thread_pid = static_cast<int>(raw_syscall(SYS_getpid));
  *first = exchange_slots_alone(work);
  return true;
}

void stop_watching() {
  if (thread_pid != static_cast<int>(raw_syscall(SYS_getpid))) return;
  __atomic_store_n(&stopping, 1u, __ATOMIC_RELEASE);
  raw_syscall(SYS_futex, reinterpret_cast<long>(&stopping), FUTEX_WAKE_PRIVATE, 1);
  pthread_join(thread, nullptr);
  thread_pid = 0;
}

void guard_forks() { pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child); }

}  // namespace shim
