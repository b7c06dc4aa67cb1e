// SPDX-License-Identifier: Apache-2.0
// Threads that come and go by the thousand hand blocks to each other through every entry point,
// interrupted by signals, cancelled, or ended by pthread_exit, while children are forked; each keeps
// its own account. Once all is quiet the recording says what the accounts say, to the byte and the
// block, round after round.
// env: OFFHEAP_SAMPLE=64K
// expect: every round is exact
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <new>
#include <random>

#include "own_recording.h"

namespace {
constexpr int kThreads = 24;  // alive at a time
constexpr int kStepsMost = 6000;

/// What one thread knows of its own calls; usable bytes, asked for as soon as a block is there.
struct Account {
  int64_t in_bytes = 0;
  int64_t out_bytes = 0;
  int64_t in_count = 0;
  int64_t out_count = 0;
  int64_t operations = 0;
};

const recording::Recording* the_recording;
std::array<std::atomic<void*>, 4096> shared_blocks;
std::array<Account, kThreads> accounts;

void* took(Account& account, void* block) {
  if (!used(block)) return nullptr;
  account.in_bytes += static_cast<int64_t>(malloc_usable_size(block));
  account.in_count += 1;
  account.operations += 1;
  return block;
}

void gives(Account& account, void* block) {
  if (!block) return;
  account.out_bytes += static_cast<int64_t>(malloc_usable_size(block));
  account.out_count += 1;
  account.operations += 1;
}

size_t some_size(std::minstd_rand& random) {
  auto kind = random() % 1000;
  if (kind < 900) return random() % 1000;
  if (kind < 995) return random() % 60'000;
  return random() % 600'000;
}

void* allocate(std::minstd_rand& random, Account& account) {
  size_t size = some_size(random);
  void* block = nullptr;
  switch (random() % 9) {
    case 0:
      return took(account, calloc(1 + random() % 4, size / 4 + 1));
    case 1:
      return took(account, memalign(size_t{16} << random() % 9, size));
    case 2:
      return posix_memalign(&block, 64, size) == 0 ? took(account, block) : nullptr;
    case 3:
      return took(account, aligned_alloc(64, (size + 63) & ~size_t{63}));
    case 4:
      return took(account, operator new(size));
    case 5:
      return took(account, operator new (size, std::align_val_t{128}));
    default:
      return took(account, malloc(size));
  }
}

void* reallocate(std::minstd_rand& random, Account& account, void* old) {
  gives(account, old);
  return took(account, realloc(old, 1 + some_size(random)));
}

void release(std::minstd_rand& random, Account& account, void* block) {
  gives(account, block);
  if (random() % 2)
    free(block);
  else
    operator delete(block);
}

/// A signal arrives anywhere, malloc included. The handler may not allocate; it reads errno and the
/// clock.
void on_signal(int) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
}

void fork_one(std::minstd_rand& random) {
  pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 50; ++i) free(used(malloc(random() % 3000)));
    _exit(17);
  }
  int status = 0;
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 17);
}

struct Job {
  Account* account;
  unsigned seed;
};

void* work(void* argument) {
  Job job = *static_cast<Job*>(argument);
  std::minstd_rand random(job.seed);
  Account& account = *job.account;
  int old_state = 0;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old_state);
  for (int step = 1 + static_cast<int>(random() % kStepsMost); step; --step) {
    auto& place = shared_blocks[random() % shared_blocks.size()];
    void* block = place.exchange(nullptr);
    if (random() % 4 == 0)
      block = reallocate(random, account, block);
    else if (block)
      release(random, account, block), block = nullptr;
    else
      block = allocate(random, account);
    block = place.exchange(block);
    if (block) release(random, account, block);
  }
  pthread_setcancelstate(old_state, nullptr);
  if (job.seed % 3 == 0) pthread_exit(nullptr);
  if (job.seed % 3 == 1)
    for (;;) pause();  // until it is cancelled
  return nullptr;
}

/// Starts as many threads as may live at a time, disturbs them, and waits for all.
void run_pack(unsigned seed) {
  static std::array<Job, kThreads> jobs;
  std::array<pthread_t, kThreads> threads;
  // libc keeps 40 MB of stacks; with larger ones it would free some, and tables of varying size with
  // them.
  pthread_attr_t attributes;
  CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, 256 << 10) == 0);
  for (unsigned i = 0; i < kThreads; ++i) {
    jobs[i] = {&accounts[i], seed * kThreads + i + 1};
    CHECK(pthread_create(&threads[i], &attributes, work, &jobs[i]) == 0);
  }
  std::minstd_rand random(seed + 1);
  for (int i = 0; i < 100; ++i) pthread_kill(threads[random() % kThreads], SIGUSR1);
  fork_one(random);
  for (unsigned i = 0; i < kThreads; ++i) {
    if (jobs[i].seed % 3 == 1) CHECK(pthread_cancel(threads[i]) == 0);
    CHECK(pthread_join(threads[i], nullptr) == 0);
  }
}

own::Counts account_of_all() {
  own::Counts sum;
  for (const Account& account : accounts)
    own::add(sum, {account.in_bytes, account.out_bytes, account.in_count, account.out_count});
  return sum;
}

/// What the recording counts beyond the accounts: blocks of libc's own, for stacks and their tables.
own::Counts beyond() { return own::process_counts(*the_recording) - account_of_all(); }

void check_round(const own::Counts& before, int round) {
  own::Counts change = beyond() - before;
  bool blocks = own::counts_blocks(the_recording->header);
  if (change.live_bytes() == 0 && (!blocks || change.live_count() == 0)) return;
  fprintf(stderr, "round %d: %" PRId64 " bytes and %" PRId64 " blocks too many alive\n", round,
          change.live_bytes(), change.live_count());
  _Exit(1);
}

double seconds_since(const timespec& begin) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec - begin.tv_sec) +
         static_cast<double>(now.tv_nsec - begin.tv_nsec) * 1e-9;
}
}  // namespace

int main() {
  the_recording = own::find_recording();
  CHECK(the_recording);
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  CHECK(sigaction(SIGUSR1, &action, nullptr) == 0);
  const char* wanted = getenv("OFFHEAP_STRESS_SECONDS");
  double seconds = wanted ? atof(wanted) : 1;
  run_pack(0);  // what libc keeps for so many threads is there from here on
  run_pack(1);
  own::Counts before = beyond();
  timespec begin{};
  clock_gettime(CLOCK_MONOTONIC, &begin);
  int round = 0;
  do {
    run_pack(static_cast<unsigned>(++round) + 1);
    check_round(before, round);
  } while (seconds_since(begin) < seconds);
  int64_t operations = 0;
  for (const Account& account : accounts) operations += account.operations;
  fprintf(stderr, "%" PRId64 " operations, %d threads, %d rounds\n", operations, (round + 2) * kThreads,
          round);
  CHECK(the_recording->header.thread_high_water <= 2 * kThreads + 8);
  for (auto& place : shared_blocks) free(place.exchange(nullptr));
  puts("every round is exact");
}
