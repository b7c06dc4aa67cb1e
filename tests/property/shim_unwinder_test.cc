// SPDX-License-Identifier: Apache-2.0
//
// The shim's unwinder against libunwind on the kinds of frames that compilers and libc make.
#include "libshim/unwind/unwinder.h"

#include <alloca.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/property/shim_oracle.h"

extern "C" int early_library_is_linked();

namespace {

shim::Stack early_stack;

using shim_test::compare_stacks;
using shim_test::take_agreement;

// Keeps a call from becoming a jump, so that each function of a test has its frame.
thread_local volatile uint64_t sink;

void expect_agreement(uint64_t least_stacks) {
  const shim_test::Agreement got = take_agreement();
  EXPECT_EQ(got.wrong, 0u) << "of " << got.stacks << " stacks with " << got.frames << " frames";
  EXPECT_EQ(got.incomplete, 0u);
  EXPECT_GE(got.stacks, least_stacks);
}

template <int kKind>
__attribute__((noinline)) uint64_t random_frame(std::mt19937& random, int depth);

uint64_t random_call(std::mt19937& random, int depth) {
  if (depth == 0 || random() % 8 == 0) compare_stacks();
  if (depth == 0) return 1;
  switch (random() % 8) {
    case 0:
      return random_frame<0>(random, depth - 1);
    case 1:
      return random_frame<1>(random, depth - 1);
    case 2:
      return random_frame<2>(random, depth - 1);
    case 3:
      return random_frame<3>(random, depth - 1);
    case 4:
      return random_frame<4>(random, depth - 1);
    case 5:
      return random_frame<5>(random, depth - 1);
    case 6:
      return random_frame<6>(random, depth - 1);
    default:
      return random_frame<7>(random, depth - 1);
  }
}

struct alignas(64) Aligned {
  volatile uint64_t words[8];
};

template <int kKind>
__attribute__((noinline)) uint64_t random_frame(std::mt19937& random, int depth) {
  uint64_t result = 0;
  if constexpr (kKind == 0) {  // small
    result = random_call(random, depth);
  } else if constexpr (kKind == 1) {  // size known at run time only: rbp holds the frame
    auto* bytes = static_cast<volatile char*>(alloca(1 + random() % 700));
    bytes[0] = 1;
    result = random_call(random, depth) + bytes[0];
  } else if constexpr (kKind == 2) {  // larger than a page
    volatile char bytes[9000];
    bytes[8999] = 1;
    result = random_call(random, depth) + bytes[8999];
  } else if constexpr (kKind == 3) {  // realigned
    Aligned aligned;
    aligned.words[3] = depth;
    result = random_call(random, depth) + aligned.words[3];
  } else if constexpr (kKind == 4) {  // all preserved registers in use
    uint64_t a = random(), b = random(), c = random(), d = random(), e = random(), f = random();
    result = random_call(random, depth);
    result += a ^ (b << 1) ^ (c << 2) ^ (d << 3) ^ (e << 4) ^ (f << 5);
  } else if constexpr (kKind == 5) {  // a callback from libc
    std::array<int, 6> numbers{};
    for (int& number : numbers) number = static_cast<int>(random() % 100);
    qsort(numbers.data(), numbers.size(), sizeof(int), [](const void* x, const void* y) {
      compare_stacks();
      return *static_cast<const int*>(x) - *static_cast<const int*>(y);
    });
    result = random_call(random, depth) + static_cast<uint64_t>(numbers[0]);
  } else if constexpr (kKind == 6) {  // through libstdc++'s templates and type erasure
    std::function<uint64_t(int)> call = [&random](int left) { return random_call(random, left); };
    result = call(depth);
  } else {  // thrown through
    try {
      result = random_call(random, depth);
      if (random() % 4 == 0) throw result;
    } catch (uint64_t thrown) {
      compare_stacks();
      result = thrown;
    }
  }
  sink = sink + result;
  return result;
}

TEST(ShimUnwinder, random_call_stacks_agree_with_libunwind) {
  std::mt19937 random(1);
  for (int round = 0; round < 1500; round++) random_call(random, static_cast<int>(random() % 14));
  expect_agreement(4000);
}

__attribute__((noinline)) uint64_t recurse(int depth) {
  if (depth == 0) compare_stacks();
  const uint64_t result = depth == 0 ? 1 : recurse(depth - 1) + 1;
  sink = sink + result;
  return result;
}

// More than the 128 KiB that a remembered step can hold: every register, every time.
__attribute__((noinline)) uint64_t huge_frame(int depth) {
  volatile char bytes[200'000];
  bytes[depth] = 1;
  if (depth == 0) compare_stacks();
  return (depth == 0 ? 1 : huge_frame(depth - 1)) + static_cast<uint64_t>(bytes[depth]);
}

// Arguments on the stack and a local that needs more than its alignment: gcc finds this caller through
// a saved stack pointer.
__attribute__((noinline)) uint64_t realigned(int a, int b, int c, int d, int e, int f, int g, int h) {
  Aligned aligned;
  auto* bytes = static_cast<volatile char*>(alloca(static_cast<size_t>(a + g) + 100));
  bytes[0] = 1;
  aligned.words[2] = static_cast<uint64_t>(b + c + d + e + f + g + h);
  if (a == 0) compare_stacks();
  const uint64_t below = a == 0 ? 1 : realigned(a - 1, b, c, d, e, f, g, h + 1);
  return below + aligned.words[2] + static_cast<uint64_t>(bytes[0]);
}

TEST(ShimUnwinder, huge_and_realigned_frames_agree) {
  for (int depth = 0; depth < 6; depth++) sink = sink + huge_frame(depth);
  for (int depth = 0; depth < 30; depth++) sink = sink + realigned(depth, 1, 2, 3, 4, 5, 6, 7);
  expect_agreement(36);
}

TEST(ShimUnwinder, deep_stacks_are_cut_and_marked) {
  for (int depth = 0; depth < 200; depth++) recurse(depth);
  expect_agreement(200);
  struct Deep {
    static __attribute__((noinline)) void go(int depth, shim::Stack* stack) {
      if (depth == 0) shim::unwind(stack);
      if (depth != 0) go(depth - 1, stack);
      sink = sink + stack->count;
    }
  };
  shim::Stack stack{};
  Deep::go(100, &stack);
  EXPECT_EQ(stack.count, recording::kMaxFrames);
  EXPECT_TRUE(stack.truncated);
  EXPECT_FALSE(stack.incomplete);
  Deep::go(5, &stack);
  EXPECT_FALSE(stack.truncated);
}

TEST(ShimUnwinder, callbacks_of_libc_and_libstdcxx_agree) {
  std::mt19937 random(2);
  std::vector<int> numbers(60);
  for (int& number : numbers) number = static_cast<int>(random());
  std::sort(numbers.begin(), numbers.end(), [](int a, int b) {
    compare_stacks();
    return a < b;
  });
  const int wanted = numbers[17];
  bsearch(&wanted, numbers.data(), numbers.size(), sizeof(int), [](const void* a, const void* b) {
    compare_stacks();
    return *static_cast<const int*>(a) < *static_cast<const int*>(b) ? -1 : 1;
  });
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, compare_stacks);
  expect_agreement(100);
}

void* thread_root(void*) {
  compare_stacks();
  recurse(7);
  return nullptr;
}

TEST(ShimUnwinder, thread_roots_agree_on_stacks_of_glibc_and_of_the_program) {
  for (int i = 0; i < 8; i++) std::thread([] { recurse(5); }).join();
  constexpr size_t kStackBytes = 1 << 20;
  void* stack = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(stack, MAP_FAILED);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, stack, kStackBytes);
  pthread_t thread;
  ASSERT_EQ(pthread_create(&thread, &attributes, thread_root, nullptr), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  munmap(stack, kStackBytes);
  expect_agreement(10);
}

void on_signal(int) { compare_stacks(); }

void raise_with(int flags) {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = flags;
  struct sigaction before {};
  sigaction(SIGUSR1, &action, &before);
  for (int i = 0; i < 20; i++) raise(SIGUSR1);
  sigaction(SIGUSR1, &before, nullptr);
}

TEST(ShimUnwinder, signal_handlers_agree) {
  raise_with(0);
  std::thread([] { raise_with(0); }).join();
  expect_agreement(40);
}

void use_alternate_stack(void* memory, size_t bytes) {
  stack_t alternate{};
  alternate.ss_sp = memory;
  alternate.ss_size = bytes;
  stack_t before{};
  ASSERT_EQ(sigaltstack(&alternate, &before), 0);
  raise_with(SA_ONSTACK);
  sigaltstack(&before, nullptr);
}

TEST(ShimUnwinder, handlers_on_alternate_stacks_agree_wherever_those_lie) {
  constexpr size_t kBytes = 256 * 1024;
  std::vector<char> in_heap(kBytes);
  static char in_bss[kBytes];
  void* mapped = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (void* memory : {static_cast<void*>(in_heap.data()), static_cast<void*>(in_bss), mapped}) {
    use_alternate_stack(memory, kBytes);
    std::thread([memory] { use_alternate_stack(memory, kBytes); }).join();
  }
  munmap(mapped, kBytes);
  expect_agreement(120);
}

ucontext_t main_context;
ucontext_t other_context;

void coroutine() {
  recurse(6);
  swapcontext(&other_context, &main_context);
}

TEST(ShimUnwinder, coroutine_stacks_agree_up_to_their_root) {
  constexpr size_t kBytes = 256 * 1024;
  std::vector<char> stack(kBytes);
  getcontext(&other_context);
  other_context.uc_stack.ss_sp = stack.data();
  other_context.uc_stack.ss_size = kBytes;
  other_context.uc_link = &main_context;
  makecontext(&other_context, coroutine, 0);
  swapcontext(&main_context, &other_context);
  // makecontext's root has no rows where a return address is looked up, so whether more would follow
  // cannot be told.
  const shim_test::Agreement got = take_agreement();
  EXPECT_EQ(got.wrong, 0u);
  EXPECT_EQ(got.stacks, 1u);
  EXPECT_EQ(got.incomplete, 1u);
}

TEST(ShimUnwinder, lazy_binding_through_the_plt_agrees) {
  void* library = dlopen(SHIM_LAZY_PLUGIN, RTLD_LAZY);
  ASSERT_NE(library, nullptr) << dlerror();
  *static_cast<void (**)()>(dlsym(library, "lazy_hook")) = compare_stacks;
  const auto call = reinterpret_cast<int (*)()>(dlsym(library, "call_lazy_target"));
  EXPECT_EQ(call(), 18);
  dlclose(library);
  shim::unwind_forget_modules();
  expect_agreement(1);
}

// Single steps: a stack at every instruction of prologues, epilogues, linkage tables and libc's
// assembly.
volatile int step_count;

void on_trap(int) {
  step_count = step_count + 1;
  compare_stacks();
}

constexpr uint64_t kTrapFlag = 0x100;
inline __attribute__((always_inline)) void set_trap_flag() {
  __asm__ volatile("lea -128(%%rsp), %%rsp\n pushfq\n orq %0, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp"
                   :
                   : "i"(kTrapFlag)
                   : "memory", "cc");
}
inline __attribute__((always_inline)) void clear_trap_flag() {
  __asm__ volatile("lea -128(%%rsp), %%rsp\n pushfq\n andq %0, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp"
                   :
                   : "i"(~kTrapFlag)
                   : "memory", "cc");
}

// The flag is set and cleared with rsp out of step with the rows; alloca has the frame found by rbp.
__attribute__((noinline)) void step_through(const std::function<void()>& work) {
  *static_cast<volatile char*>(alloca(static_cast<size_t>(step_count) + 16)) = 1;
  set_trap_flag();
  work();
  clear_trap_flag();
}

int by_value(const void* a, const void* b) {
  return *static_cast<const int*>(a) - *static_cast<const int*>(b);
}

TEST(ShimUnwinder, every_single_instruction_agrees) {
  struct sigaction action {};
  action.sa_handler = on_trap;
  struct sigaction before {};
  sigaction(SIGTRAP, &action, &before);
  void* library = dlopen(SHIM_LAZY_PLUGIN, RTLD_LAZY);
  ASSERT_NE(library, nullptr) << dlerror();
  const auto call = reinterpret_cast<int (*)()>(dlsym(library, "call_lazy_target"));
  step_count = 0;
  std::mt19937 random(4);
  step_through([&] {
    int numbers[] = {3, 1, 4, 1, 5, 9, 2, 6};
    qsort(numbers, 8, sizeof(int), by_value);
    sink = sink + static_cast<uint64_t>(numbers[0]);
    std::string text(40, 'x');
    text += std::to_string(numbers[2]);
    sink = sink + text.size();
    sink = sink + static_cast<uint64_t>(call());
    Aligned aligned;
    aligned.words[0] = 1;
    sink = sink + aligned.words[0];
  });
  sigaction(SIGTRAP, &before, nullptr);
  dlclose(library);
  shim::unwind_forget_modules();
  EXPECT_GT(step_count, 1000);
  expect_agreement(1000);
}

TEST(ShimUnwinder, frames_of_the_shim_itself_are_left_out) {
  shim::Stack with{};
  shim::unwind(&with);
  const uint64_t own = with.frames[0];
  shim::unwind_init(own - 4096, own + 4096);
  shim::Stack without{};
  shim::unwind(&without);
  shim::unwind_init(0, 0);
  ASSERT_LT(without.count, with.count);
  for (uint32_t i = 0; i < without.count; i++) {
    EXPECT_TRUE(without.frames[i] < own - 4096 || without.frames[i] >= own + 4096);
  }
  EXPECT_EQ(without.frames[without.count - 1], with.frames[with.count - 1]);
}

TEST(ShimUnwinder, constructors_that_the_loader_runs_have_complete_stacks) {
  ASSERT_EQ(early_library_is_linked(), 1);
  EXPECT_GE(early_stack.count, 3u);
  EXPECT_FALSE(early_stack.incomplete);
  EXPECT_FALSE(early_stack.truncated);
}

TEST(ShimUnwinder, smashed_stack_ends_the_walk_and_nothing_else) {
  struct Smash {
    static __attribute__((noinline)) uint32_t go(uint64_t junk) {
      auto* frame = static_cast<uint64_t*>(__builtin_frame_address(0));
      const uint64_t saved_rbp = frame[0];
      const uint64_t saved_pc = frame[1];
      auto* volatile words = frame;
      words[0] = junk;
      words[1] = junk % 3 == 0 ? junk : saved_pc;
      shim::Stack stack{};
      shim::unwind(&stack);
      words[0] = saved_rbp;
      words[1] = saved_pc;
      return stack.count;
    }
  };
  std::mt19937_64 random(9);
  uint64_t total = 0;
  for (int i = 0; i < 3000; i++) {
    const uint64_t junk = random();
    total += Smash::go(i % 2 == 0 ? junk : reinterpret_cast<uint64_t>(&junk) + junk % 100'000);
  }
  EXPECT_GE(total, 3000u);
}

}  // namespace

// Called before this program's own constructors.
extern "C" void early_hook() { shim::unwind(&early_stack); }
