// SPDX-License-Identifier: Apache-2.0
//
// Which futex waits are waits for an allocator's lock.
#include "ab/lock_waits.h"

#include <gtest/gtest.h>

#include <array>

namespace offheap::ab {
namespace {

constexpr std::uint64_t kWait = 0x80;         // FUTEX_WAIT | FUTEX_PRIVATE_FLAG
constexpr std::uint64_t kWaitBitset = 0x189;  // what condition variables use

AllocatorMap map_of_a_process() {
  constexpr std::string_view text =
      "10000-20000 r-xp 00000000 08:01 1 /bin/program\n"
      "20000-30000 rw-p 00000000 08:01 1 /bin/program\n"
      "30000-40000 r-xp 00000000 08:01 2 /opt/offheap/libshim.so\n"
      "40000-50000 rw-p 00000000 08:01 2 /opt/offheap/libshim.so\n"
      "50000-60000 rw-p 00000000 00:00 0 \n"
      "70000-80000 rw-p 00000000 00:00 0 \n"
      "80000-90000 r-xp 00000000 08:01 3 /lib/x86_64-linux-gnu/libc.so.6\n"
      "90000-a0000 rw-p 00000000 08:01 3 /lib/x86_64-linux-gnu/libc.so.6\n";
  AllocatorMap map = AllocatorMap::of(*parse_smaps(text));
  map.main_arena = 0x91000;
  return map;
}

FutexWait wait_on(Address word, std::uint64_t operation = kWait) {
  return {word, operation, 2, 0, 0x7ffe0000, 0x80100};
}

TEST(AbLockWaits, text_of_a_waiting_thread) {
  const auto wait =
      parse_futex_wait("202 0x7f0000000020 0x80 0x2 0x0 0x0 0x0 0x7ffd12345678 0x7f1234567890\n");
  ASSERT_TRUE(wait.has_value());
  EXPECT_EQ(wait->word, 0x7f0000000020u);
  EXPECT_EQ(wait->operation, kWait);
  EXPECT_EQ(wait->value, 2u);
  EXPECT_EQ(wait->stack, 0x7ffd12345678u);
  EXPECT_EQ(wait->code, 0x7f1234567890u);
}

TEST(AbLockWaits, text_of_other_threads_is_nothing) {
  for (const char* text : {"", "running\n", "-1 0x7ffd 0x7f12\n", "0 0x0 0x1 0x2 0x3 0x4 0x5 0x6 0x7\n",
                           "202 0x1 0x80 0x2 0x0 0x0 0x0 0x7ffd\n", "202 1 2 3 4 5 6 7 8\n", "202\n"})
    EXPECT_FALSE(parse_futex_wait(text).has_value()) << text;
}

TEST(AbLockWaits, arenas_are_locks) {
  const AllocatorMap map = map_of_a_process();
  EXPECT_TRUE(is_allocator_wait(map, wait_on(0x91000), false, {}));
  EXPECT_TRUE(is_allocator_wait(map, wait_on(0x70030), true, {}));
  EXPECT_FALSE(is_allocator_wait(map, wait_on(0x91008), false, {})) << "another word of libc's data";
  EXPECT_FALSE(is_allocator_wait(map, wait_on(0x70030), false, {})) << "no heap_info before it";
}

TEST(AbLockWaits, data_of_the_shim_and_its_bss_are_locks) {
  const AllocatorMap map = map_of_a_process();
  EXPECT_TRUE(is_allocator_wait(map, wait_on(0x41000), false, {}));
  EXPECT_TRUE(is_allocator_wait(map, wait_on(0x51000, kWaitBitset), false, {}));
  EXPECT_FALSE(is_allocator_wait(map, wait_on(0x21000), false, {})) << "the program's own data";
}

TEST(AbLockWaits, mutex_that_allocator_code_waits_for_is_a_lock) {
  const AllocatorMap map = map_of_a_process();
  constexpr std::array<Address, 4> by_shim = {0x80200, 7, 0x30100, 0x10100};
  constexpr std::array<Address, 4> by_program = {0x80200, 7, 0x10100, 0x30100};
  EXPECT_TRUE(is_allocator_wait(map, wait_on(0x70040), false, by_shim));
  EXPECT_FALSE(is_allocator_wait(map, wait_on(0x70040), false, by_program));
}

TEST(AbLockWaits, condition_variables_are_not_asked_who_called) {
  const AllocatorMap map = map_of_a_process();
  constexpr std::array<Address, 2> left_on_the_stack = {0x30100, 0x10100};
  EXPECT_FALSE(is_allocator_wait(map, wait_on(0x70040, kWaitBitset), false, left_on_the_stack));
  FutexWait timed = wait_on(0x70040);
  timed.timeout = 0x7ffe0010;
  EXPECT_FALSE(is_allocator_wait(map, timed, false, left_on_the_stack));
}

}  // namespace
}  // namespace offheap::ab
