// SPDX-License-Identifier: Apache-2.0
#include "ab/server.h"

#include <gtest/gtest.h>

namespace offheap::ab {
namespace {

using Words = std::vector<std::string>;

TEST(AbServer, CommandOfPlainWords_NeedsNoShell) {
  EXPECT_EQ(shell_command("server --port 1"), (Words{"server", "--port", "1"}));
  EXPECT_EQ(shell_command("  server \t -x  "), (Words{"server", "-x"}));
}

TEST(AbServer, Quotes_AreTakenOffWithoutAShell) {
  EXPECT_EQ(shell_command("server --save '' --name \"a b\" it's 'so"),
            (Words{"server", "--save", "", "--name", "a b", "its so"}));
  EXPECT_EQ(shell_command("server 'say \"hello\"'"), (Words{"server", "say \"hello\""}));
}

TEST(AbServer, WhatOnlyAShellUnderstands_GoesToIt) {
  for (const std::string text :
       {"a; b", "X=1 server", "server $HOME", "server \"$HOME\"", "server '", ""})
    EXPECT_EQ(shell_command(text), (Words{"/bin/sh", "-c", text}));
}

}  // namespace
}  // namespace offheap::ab
