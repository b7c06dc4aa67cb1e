// SPDX-License-Identifier: Apache-2.0
//
// Work in a child: its answer arrives whole, and whatever goes wrong in it is no answer and leaves
// nothing.
#include "apart/apart.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>

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

/// The permitted capabilities of this process's only child, as /proc has them; empty when there is
/// none.
std::string rights_of_child() {
  std::string rights;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string child;
    std::ifstream(task.path() / "children") >> child;
    std::ifstream status("/proc/" + child + "/status");
    for (std::string key; !child.empty() && status >> key;)
      if (key == "CapPrm:") status >> rights;
  }
  return rights;
}

TEST(Apart, Child_HasNoRights) {
  if (::geteuid() != 0) GTEST_SKIP() << "not root: there are no rights to give up";
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const Descriptor input(ends[0]);
  Descriptor held(ends[1]);
  auto answer = std::async(std::launch::async, [&input] {
    return work_apart(input.get(), [](int fd) {
      char byte = 0;
      return std::string(1, ::read(fd, &byte, 1) == 0 ? 'e' : '?');
    });
  });
  std::string rights;
  for (int i = 0; i < 5000 && rights != "0000000000000000"; ++i) {
    ::usleep(1000);
    rights = rights_of_child();
  }
  held = Descriptor();
  EXPECT_EQ(rights, "0000000000000000");
  EXPECT_EQ(answer.get(), "e");
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
