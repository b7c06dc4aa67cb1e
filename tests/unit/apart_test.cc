// SPDX-License-Identifier: Apache-2.0
//
// Work in a child: its answer arrives whole, and whatever goes wrong in it is no answer and leaves
// nothing.
#include "apart/apart.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <vector>

#include "apart/target_file.h"

namespace offheap {
namespace {

Descriptor own_program() { return open_target_file("", "/proc/self/exe"); }

bool has_children() { return ::waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD; }

std::optional<std::string> run(const std::function<std::string(int)>& work, ApartLimits limits = {}) {
  const Descriptor input = own_program();
  auto answer = work_apart(input.get(), work, limits);
  EXPECT_FALSE(has_children());
  return answer;
}

TEST(Apart, AnswerOfAnySize_ArrivesWhole) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{5'000'001}}) {
    const auto answer = run([size](int) {
      std::string text(size, 'a');
      if (size > 1) text.back() = 'z';
      return text;
    });
    ASSERT_TRUE(answer) << size;
    EXPECT_EQ(answer->size(), size);
    if (size > 1) {
      EXPECT_EQ(answer->back(), 'z');
    }
  }
}

TEST(Apart, Input_IsReadByTheChild) {
  const auto answer = run([](int input) {
    std::string magic(4, ' ');
    return ::pread(input, magic.data(), magic.size(), 0) == 4 ? magic : std::string();
  });
  EXPECT_EQ(answer,
            "\x7f"
            "ELF");
}

TEST(Apart, CrashOfAnyKind_IsNoAnswer) {
  EXPECT_FALSE(run([](int) -> std::string { std::abort(); }));
  EXPECT_FALSE(run([](int) -> std::string { std::exit(3); }));
  EXPECT_FALSE(run([](int) -> std::string { ::_exit(1); }));
}

TEST(Apart, WorkWithoutEnd_EndsAtTheDeadline) {
  ApartLimits limits;
  limits.deadline = std::chrono::milliseconds(200);
  const auto begin = std::chrono::steady_clock::now();
  std::atomic<bool> ended{false};
  EXPECT_FALSE(run(
      [&ended](int) {
        while (!ended) continue;
        return std::string();
      },
      limits));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST(Apart, AnswerWithoutEnd_IsNoAnswer) {
  ApartLimits limits;
  limits.answer_bytes = 1 << 20;
  EXPECT_FALSE(run([](int) { return std::string(2 << 20, 'a'); }, limits));
  EXPECT_TRUE(run([](int) { return std::string(1 << 20, 'a'); }, limits));
}

}  // namespace
}  // namespace offheap
