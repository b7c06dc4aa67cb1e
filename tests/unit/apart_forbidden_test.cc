// SPDX-License-Identifier: Apache-2.0
//
// What code that took the child over could try: each is a system call that ends it, or fails.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <vector>

#include "apart/apart.h"
#include "apart/target_file.h"

namespace offheap {
namespace {

/// Whether the child lived through `attempt`.
bool survives(const std::function<void()>& attempt, ApartLimits limits = {}) {
  const Descriptor input = open_target_file("", "/proc/self/exe");
  const auto answer = work_apart(
      input.get(),
      [&](int) {
        attempt();
        return std::string("alive");
      },
      limits);
  return answer == "alive";
}

TEST(ApartForbidden, NothingAttempted_Survives) {
  EXPECT_TRUE(survives([] {}));
}

TEST(ApartForbidden, OpeningAFile_EndsIt) {
  EXPECT_FALSE(survives([] { ::open("/etc/passwd", O_RDONLY); }));
  EXPECT_FALSE(survives([] { ::openat(AT_FDCWD, "/tmp/made", O_CREAT | O_WRONLY, 0600); }));
}

TEST(ApartForbidden, ReachingOthers_EndsIt) {
  EXPECT_FALSE(survives([] { ::socket(AF_INET, SOCK_STREAM, 0); }));
  EXPECT_FALSE(survives([] { ::kill(::getppid(), 0); }));
  EXPECT_FALSE(survives([] {
    char byte = 0;
    const iovec local{&byte, 1};
    const iovec remote{&byte, 1};
    ::process_vm_readv(1, &local, 1, &remote, 1, 0);
  }));
}

TEST(ApartForbidden, BecomingAnother_EndsIt) {
  EXPECT_FALSE(survives([] {
    char* const arguments[] = {nullptr};
    ::execve("/bin/true", arguments, arguments);
  }));
  EXPECT_FALSE(survives([] { ::fork(); }));
}

TEST(ApartForbidden, NewCode_EndsIt) {
  EXPECT_FALSE(survives(
      [] { ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }));
  EXPECT_TRUE(survives(
      [] { ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }));
}

TEST(ApartForbidden, WritingElsewhere_EndsIt) {
  EXPECT_FALSE(survives([] { (void)!::write(2, "out\n", 4); }));
}

TEST(ApartForbidden, TooMuchMemory_EndsIt) {
  ApartLimits limits;
  limits.memory_bytes = Bytes{64} << 20;
  const auto take = [](std::size_t bytes) {
    return [bytes] { std::vector<char>(bytes, 'a').front() = 'b'; };
  };
  EXPECT_FALSE(survives(take(std::size_t{128} << 20), limits));
  EXPECT_TRUE(survives(take(std::size_t{16} << 20), limits));
}

TEST(ApartForbidden, OpenDescriptors_AreNotThere) {
  const int secret = ::open("/proc/self/exe", O_RDONLY);
  ASSERT_GE(secret, 0);
  bool readable = true;
  const Descriptor input = open_target_file("", "/proc/self/exe");
  const auto answer = work_apart(input.get(), [secret](int own) {
    // The first numbers are the child's own.
    for (int fd = secret > own ? secret : own + 2; fd < 64; ++fd) {
      char byte = 0;
      if (::pread(fd, &byte, 1, 0) >= 0) return std::string("readable");
    }
    return std::string("none");
  });
  readable = answer != "none";
  EXPECT_FALSE(readable);
  ::close(secret);
}

}  // namespace
}  // namespace offheap
