// SPDX-License-Identifier: Apache-2.0
//
// The unwinder next to what locks: dlclose and dlopen at the same address, allocation inside
// dl_iterate_phdr, fork. Each bounded in time; a hang is a failure of the test's own watch.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <link.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "libshim/unwind/unwinder.h"
#include "tests/property/shim_oracle.h"

namespace {

using namespace std::chrono_literals;

thread_local volatile uint64_t sink;

struct Collected {
  shim::Stack stack;
};

int collect(void* argument) {
  shim::unwind(&static_cast<Collected*>(argument)->stack);
  return 0;
}

// Stack of collect as called through the plugin at `path`; `*inside` is its return address in there.
shim::Stack stack_through(const char* path, uint64_t* inside) {
  Collected collected{};
  void* library = dlopen(path, RTLD_NOW);
  EXPECT_NE(library, nullptr) << dlerror();
  using Call = int (*)(int (*)(void*), void*);
  const auto call = reinterpret_cast<Call>(dlsym(library, "call_through"));
  sink = sink + static_cast<uint64_t>(call(collect, &collected));
  *inside = collected.stack.frames[1];
  dlclose(library);
  shim::unwind_forget_modules();
  return collected.stack;
}

TEST(ShimUnwinderThreads, reloading_other_code_at_the_same_address_is_noticed) {
  uint64_t first = 0;
  const shim::Stack reference = stack_through(SHIM_PLUGIN, &first);
  int same_address = 0;
  for (int i = 0; i < 20; i++) {
    uint64_t inside = 0;
    const shim::Stack stack = stack_through(i % 2 == 0 ? SHIM_BIG_PLUGIN : SHIM_PLUGIN, &inside);
    same_address += inside == first;
    ASSERT_EQ(stack.count, reference.count) << "turn " << i;
    EXPECT_FALSE(stack.incomplete);
    // [2] is in stack_through, [3] in this test, at its other call; above, all are the same.
    for (uint32_t frame = 4; frame < stack.count; frame++) {
      ASSERT_EQ(stack.frames[frame], reference.frames[frame]) << "turn " << i << " frame " << frame;
    }
  }
  EXPECT_EQ(same_address, 20) << "the plugins were not loaded at one address: nothing was proven";
}

TEST(ShimUnwinderThreads, all_255_generations_of_the_cache_are_right) {
  for (int i = 0; i < 600; i++) {
    shim_test::compare_stacks();
    shim::unwind_forget_modules();
  }
  EXPECT_EQ(shim_test::take_agreement().wrong, 0u);
}

__attribute__((noinline)) void unwind_deep(int depth) {
  if (depth == 0) {
    shim::Stack stack;
    shim::unwind(&stack);
    sink = sink + stack.count;
    return;
  }
  unwind_deep(depth - 1);
  sink = sink + 1;
}

// Runs `work` in its own process and kills it after `limit`: true when it ended by itself, in good
// order.
template <typename Work>
bool ends_within(std::chrono::seconds limit, Work work) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(static_cast<unsigned>(limit.count()));
    work();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int unwind_in_callback(dl_phdr_info*, size_t, void*) {
  unwind_deep(3);
  return 0;
}

// The callback runs under the loader's lock; other threads miss the cache all the time.
TEST(ShimUnwinderThreads, unwinding_inside_dl_iterate_phdr_never_deadlocks) {
  EXPECT_TRUE(ends_within(20s, [] {
    std::atomic<bool> is_done{false};
    std::vector<std::thread> threads;
    threads.emplace_back([&] {
      while (!is_done) dl_iterate_phdr(unwind_in_callback, nullptr);
    });
    for (int i = 0; i < 2; i++) {
      threads.emplace_back([&] {
        for (int turn = 0; !is_done; turn++) {
          if (turn % 16 == 0) shim::unwind_forget_modules();
          unwind_deep(turn % 40);
        }
      });
    }
    threads.emplace_back([&] {
      while (!is_done) {
        void* library = dlopen(SHIM_PLUGIN, RTLD_NOW);
        if (library != nullptr) dlclose(library);
        shim::unwind_forget_modules();
      }
    });
    std::this_thread::sleep_for(2s);
    is_done = true;
    for (std::thread& thread : threads) thread.join();
  }));
}

TEST(ShimUnwinderThreads, children_forked_while_others_unwind_never_hang) {
  std::atomic<bool> is_done{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; i++) {
    threads.emplace_back([&] {
      for (int turn = 0; !is_done; turn++) {
        if (turn % 64 == 0) shim::unwind_forget_modules();
        unwind_deep(turn % 30);
      }
    });
  }
  int hung = 0;
  for (int i = 0; i < 200; i++) {
    const bool ended = ends_within(10s, [] {
      for (int turn = 0; turn < 20; turn++) unwind_deep(turn);
    });
    hung += !ended;
  }
  is_done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(hung, 0) << "of 200 children";
}

TEST(ShimUnwinderThreads, threads_that_share_the_cache_agree_with_libunwind) {
  std::vector<std::thread> threads;
  std::atomic<bool> is_done{false};
  for (int i = 0; i < 3; i++) {
    threads.emplace_back([] {
      for (int turn = 0; turn < 3000; turn++) shim_test::compare_stacks();
    });
  }
  threads.emplace_back([&] {
    while (!is_done) shim::unwind_forget_modules();
  });
  for (int i = 0; i < 3; i++) threads[i].join();
  is_done = true;
  threads[3].join();
  EXPECT_EQ(shim_test::take_agreement().wrong, 0u);
}

}  // namespace
