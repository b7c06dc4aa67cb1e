// SPDX-License-Identifier: Apache-2.0
#include "container/names.h"

#include <gtest/gtest.h>

namespace offheap {
namespace {

NamedContainer container(const std::string& id, const std::string& name) {
  NamedContainer named;
  named.container.id = id;
  named.names = {name};
  named.group = "/docker/" + id;
  return named;
}

TEST(ContainerNames, NameComesBeforeTheBeginningOfAnId) {
  const std::vector<NamedContainer> all = {container("abcd", "web"), container("abff", "ab")};
  EXPECT_EQ(*match_container("web", all, "x"), 0u);
  EXPECT_EQ(*match_container("ab", all, "x"), 1u);
  EXPECT_EQ(*match_container("abc", all, "x"), 0u);
  EXPECT_EQ(*match_container("abff", all, "x"), 1u);
}

TEST(ContainerNames, SeveralOrNone_AreErrorsWithCandidates) {
  const std::vector<NamedContainer> all = {container("abcd", "web"), container("abff", "shop")};
  const auto several = match_container("ab", all, "x");
  ASSERT_FALSE(several);
  EXPECT_NE(several.error().remedy.find("abcd web, abff shop"), std::string::npos);
  const auto none = match_container("nginx", all, "the cgroups of all processes");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kUsage);
  EXPECT_NE(none.error().remedy.find("the cgroups of all processes"), std::string::npos);
  EXPECT_NE(none.error().remedy.find("abff shop"), std::string::npos);
}

ProcessUse process(int pid, int namespace_pid, std::uint64_t start, Bytes anon_bytes) {
  ProcessUse use;
  use.pid = pid;
  use.namespace_pid = namespace_pid;
  use.start_ticks = start;
  use.anon_bytes = anon_bytes;
  return use;
}

TEST(ContainerNames, MainProcess_IsTheFirstUnlessAnotherHoldsMost) {
  EXPECT_EQ(choose_main_process({process(9, 7, 5, 10), process(8, 1, 6, 12)}).pid, 8);
  const auto eater = choose_main_process({process(8, 1, 1, 10), process(9, 7, 5, 100)});
  EXPECT_EQ(eater.pid, 9);
  EXPECT_NE(eater.why.find("--all"), std::string::npos);
  EXPECT_EQ(choose_main_process({process(20, 20, 9, 10), process(30, 30, 3, 10)}).pid, 30);
  EXPECT_EQ(choose_main_process({process(5, 1, 1, 0)}).why, "");
}

}  // namespace
}  // namespace offheap
