// SPDX-License-Identifier: Apache-2.0
//
// The attach protocol's texts, and the checks that come before the first signal.
#include "attach/hotspot_attach.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "attach/delivery.h"
#include "attach/hotspot_listener.h"

namespace offheap {
namespace {

using namespace std::string_literals;

TEST(AttachRequest, IsFiveTerminatedWords) {
  const auto request = format_attach_request("load", {"/tmp/a.so", "true", "x=1"});
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(*request, "1\0load\0/tmp/a.so\0true\0x=1\0"s);
}

TEST(AttachRequest, RefusesWhatTheJvmWouldCut) {
  EXPECT_FALSE(format_attach_request("jcmd", {std::string(1025, 'a'), "", ""}).ok());
  EXPECT_FALSE(format_attach_request("jcmd", {"a\0b"s, "", ""}).ok());
  EXPECT_TRUE(format_attach_request("jcmd", {std::string(1024, 'a'), "", ""}).ok());
}

TEST(AttachAnswer, BeginsWithACode) {
  const auto answer = parse_attach_answer("0\nOpenJDK\nJDK 17\n");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->code, 0);
  EXPECT_EQ(answer->text, "OpenJDK\nJDK 17\n");
  const auto refusal = parse_attach_answer("101\nProtocol mismatch");
  ASSERT_TRUE(refusal.ok());
  EXPECT_EQ(refusal->code, 101);
  const auto bare = parse_attach_answer("-1");
  ASSERT_TRUE(bare.ok());
  EXPECT_EQ(bare->code, -1);
  EXPECT_EQ(bare->text, "");
}

TEST(AttachAnswer, SilenceMeansAnotherUser) {
  const auto answer = parse_attach_answer("");
  ASSERT_FALSE(answer.ok());
  EXPECT_NE(answer.error().remedy.find("user"), std::string::npos);
}

TEST(AttachAnswer, RefusesNoise) {
  for (const char* text : {"\n0", "zero\n", "0x\n", " 0\n", "99999999999\n"}) {
    const auto answer = parse_attach_answer(text);
    ASSERT_FALSE(answer.ok()) << text;
    EXPECT_NE(answer.error().what.find("result code"), std::string::npos);
  }
}

TEST(AgentResult, InBothWaysOfSayingIt) {
  EXPECT_EQ(parse_agent_result("return code: 0\n"), 0);
  EXPECT_EQ(parse_agent_result("return code: 7\n"), 7);
  EXPECT_EQ(parse_agent_result("-3"), -3);
  EXPECT_FALSE(parse_agent_result("").has_value());
  EXPECT_FALSE(parse_agent_result("Dynamic agent loading is not enabled.").has_value());
}

TEST(SignalMask, CountsFromOne) {
  EXPECT_TRUE(has_signal("0000000000000004", SIGQUIT));
  EXPECT_FALSE(has_signal("0000000000000002", SIGQUIT));
  EXPECT_TRUE(has_signal("8000000000000000", 64));
  EXPECT_FALSE(has_signal("", SIGQUIT));
  EXPECT_FALSE(has_signal("ffffffffffffffff", 65));
}

TEST(Listener, NeverSignalsAProcessThatIsNoJvm) {
  const auto self = Process::open(::getpid());
  ASSERT_TRUE(self.ok());
  const auto attached = HotspotAttach::open(*self);
  ASSERT_FALSE(attached.ok());
  EXPECT_NE(attached.error().remedy.find("--inject"), std::string::npos);
}

TEST(Delivery, LiesThereForAsLongAsItIsHeld) {
  const auto self = Process::open(::getpid());
  ASSERT_TRUE(self.ok());
  std::string path;
  {
    const auto file = DeliveredFile::deliver(*self, "library.so", "bytes");
    ASSERT_TRUE(file.ok()) << file.error().what;
    path = file->path();
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777u, 0755u);
    EXPECT_EQ(status.st_size, 5);
  }
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
  EXPECT_NE(::access(path.substr(0, path.rfind('/')).c_str(), F_OK), 0);
}

}  // namespace
}  // namespace offheap
