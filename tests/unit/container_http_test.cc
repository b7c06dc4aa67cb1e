// SPDX-License-Identifier: Apache-2.0
#include "container/http.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "container/docker.h"
#include "procfs/text_file.h"

namespace offheap {
namespace {

TEST(Http, Body_ByLengthByChunksOrToTheEnd) {
  const auto length = parse_http_answer("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcdef");
  ASSERT_TRUE(length);
  EXPECT_EQ(length->body, "abc");
  const auto chunks = parse_http_answer(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n");
  ASSERT_TRUE(chunks);
  EXPECT_EQ(chunks->body, "abc0123456789");
  const auto rest = parse_http_answer("HTTP/1.0 404 Not Found\r\n\r\nall of it");
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->status, 404);
  EXPECT_EQ(rest->body, "all of it");
}

TEST(Http, BrokenAnswers_AreErrors) {
  for (const char* bytes :
       {"", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcXX0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"}) {
    EXPECT_FALSE(parse_http_answer(bytes)) << bytes;
  }
}

/// A daemon of our own that answers one question with whatever a test wants.
class Daemon {
 public:
  template <typename Answer>
  explicit Daemon(Answer answer)
      : path_("/tmp/offheap-http-" + std::to_string(::getpid())),
        listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    ::unlink(path_.c_str());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    thread_ = std::thread([this, answer] {
      const Descriptor peer(::accept(listener_.get(), nullptr, nullptr));
      char question[4096];
      EXPECT_GT(::recv(peer.get(), question, sizeof question, 0), 0);
      answer(peer.get());
    });
  }
  ~Daemon() {
    thread_.join();
    ::unlink(path_.c_str());
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  Descriptor listener_;
  std::thread thread_;
};

constexpr std::uint64_t kShort_ns = 300'000'000;

TEST(Http, Get_ReadsAnAnswerInPieces) {
  const Daemon daemon([](int peer) {
    for (const char* piece : {"HTTP/1.1 200 OK\r\nContent-", "Length: 5\r\n\r\nhe", "llo"}) {
      EXPECT_GT(::send(peer, piece, std::strlen(piece), MSG_NOSIGNAL), 0);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  const auto answer = http_get(daemon.path(), "/x", 5'000'000'000);
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_EQ(answer->body, "hello");
}

TEST(Http, Get_GivesUpOnATrickle) {
  const Daemon daemon([](int peer) {
    for (int i = 0; i < 40; ++i) {
      if (::send(peer, "x", 1, MSG_NOSIGNAL) < 0) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  const auto begin = std::chrono::steady_clock::now();
  const auto answer = http_get(daemon.path(), "/x", kShort_ns);
  EXPECT_FALSE(answer);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(750));
}

TEST(Http, Get_NobodyListens_IsAnError) {
  EXPECT_FALSE(http_get("/tmp/no-such-socket", "/", kShort_ns));
  EXPECT_FALSE(http_get(std::string(200, 'x'), "/", kShort_ns));
}

TEST(Docker, Texts_AreReadByTheirKeys) {
  const auto list = parse_docker_list(
      R"([{"Id":"aa","Names":["/shop","/x"],"Image":"shop:3","State":"running"},7,{"Names":4}])");
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 1u);
  EXPECT_EQ(list->front().names, (std::vector<std::string>{"shop", "x"}));
  const auto container = parse_docker_container(
      R"({"Id":"aa","Name":"/shop","RestartCount":2,"State":{"OOMKilled":true},"Config":{"Image":"shop:3"}})");
  ASSERT_TRUE(container);
  EXPECT_EQ(container->name, "shop");
  EXPECT_EQ(container->restart_count, 2u);
  EXPECT_EQ(container->oom_killed, true);
  for (const char* text : {"", "[", "7", "{}", R"({"Id":7,"State":[]})"})
    EXPECT_FALSE(parse_docker_container(text)) << text;
  EXPECT_FALSE(parse_docker_list(R"({"message":"no"})"));
}

}  // namespace
}  // namespace offheap
