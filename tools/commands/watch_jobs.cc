// SPDX-License-Identifier: Apache-2.0
#include "commands/watch_jobs.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <system_error>

namespace offheap {
namespace {

constexpr std::size_t kMostText = std::size_t{60} << 10;

[[noreturn]] void run_child(const std::function<void(const JobAnswer&)>& work, int socket,
                            pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const JobAnswer answer(socket);
  try {
    work(answer);
  } catch (const std::exception& problem) {
    answer.send(fmt::format("E{}", problem.what()));
  }
  // Nothing of the parent's may be flushed or destroyed a second time.
  ::_exit(0);
}

}  // namespace

void JobAnswer::send(const std::string& text, int descriptor) const {
  iovec part{const_cast<char*>(text.data()), std::min(text.size(), kMostText)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (descriptor >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  while (::sendmsg(socket_, &message, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

Result<Job> Job::start(const std::function<void(const JobAnswer&)>& work, std::uint64_t deadline_ns) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return Error{ErrorCode::kUnreadable, std::generic_category().message(errno), "socketpair", ""};
  Descriptor ours(ends[0]);
  const Descriptor theirs(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return Error{ErrorCode::kUnreadable, std::generic_category().message(errno), "fork", ""};
  if (pid == 0) run_child(work, theirs.get(), parent);
  return Job(pid, std::move(ours), deadline_ns);
}

std::optional<JobMessage> Job::receive() {
  JobMessage got;
  got.text.resize(kMostText);
  iovec part{got.text.data(), got.text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t count = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (count < 0) {
    ended_ = ended_ || (errno != EAGAIN && errno != EINTR);
    return {};
  }
  if (count == 0) {
    ended_ = true;
    return {};
  }
  got.text.resize(static_cast<std::size_t>(count));
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_type == SCM_RIGHTS) {
    int descriptor = -1;
    std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    got.descriptor = Descriptor(descriptor);
  }
  return got;
}

bool Job::kill_if_late(std::uint64_t now_ns) {
  if (ended_ || now_ns < deadline_ns_) return false;
  ::kill(pid_, SIGKILL);
  ended_ = true;
  return true;
}

void Job::reap() const { ::waitpid(pid_, nullptr, WNOHANG); }

}  // namespace offheap
