// SPDX-License-Identifier: Apache-2.0
//
// The second half: one connection a command. The socket is reached through a descriptor that was
// checked, never by a path that the target could swap, and whoever answers must be the target itself.
#include "attach/hotspot_attach.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>

#include "attach/hotspot_listener.h"

namespace offheap {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kArgumentLimitBytes = 1024;  // AttachOperation::arg_length_max

Error failure(const Process& process, std::string what, std::string remedy) {
  return Error{ErrorCode::kUnreadable, std::move(what), fmt::format("pid {}", process.pid()),
               std::move(remedy)};
}

/// Waits until `fd` is ready for `events`; false at the deadline.
bool wait_for(int fd, short events, Clock::time_point deadline) {
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd entry{fd, events, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(std::min<long>(left, 1000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

Result<Descriptor> connect_to(const Process& process, const Descriptor& place,
                              Clock::time_point deadline) {
  Descriptor connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!connection.valid())
    return Error{ErrorCode::kInternal, "cannot make a socket", std::strerror(errno), ""};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  fmt::format_to_n(address.sun_path, sizeof address.sun_path - 1, "/proc/self/fd/{}", place.get());
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  // EAGAIN: the queue of those who wait to be accepted is full.
  while (::connect(connection.get(), generic, sizeof address) != 0) {
    if (errno == EAGAIN && Clock::now() < deadline) {
      ::poll(nullptr, 0, 5);
      continue;
    }
    return failure(process,
                   fmt::format("cannot connect to the JVM's attach socket: {}", std::strerror(errno)),
                   errno == ECONNREFUSED ? "the socket is a dead process's: remove it and try again"
                                         : missing_right(process));
  }
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 ||
      peer.pid != process.pid())
    return failure(process,
                   fmt::format("another process ({}) listens on the JVM's attach socket", peer.pid),
                   "processes that share /tmp but not their pid namespace can have the same number in "
                   "theirs: give each container a /tmp of its own");
  return connection;
}

Result<bool> send_all(const Process& process, int connection, std::string_view bytes,
                      Clock::time_point deadline) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
      continue;
    }
    // The JVM closes at once on a user that it does not accept; what it has to say is read below.
    if (errno == EPIPE || errno == ECONNRESET) return true;
    if ((errno != EAGAIN && errno != EINTR) || !wait_for(connection, POLLOUT, deadline))
      return failure(process, "the JVM does not take the request", "it may be stopped; try again");
  }
  return true;
}

Result<std::string> read_all(const Process& process, int connection, Bytes limit_bytes,
                             Clock::time_point deadline) {
  std::string answer;
  std::array<char, 16384> buffer;
  for (;;) {
    if (!wait_for(connection, POLLIN, deadline))
      return failure(process, "the JVM did not answer in time",
                     "it may be stopped, out of CPU quota or in a long safepoint; try again");
    const ssize_t count = ::read(connection, buffer.data(), buffer.size());
    if (count == 0 || (count < 0 && errno == ECONNRESET)) return answer;
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (count < 0)
      return failure(process, fmt::format("cannot read the JVM's answer: {}", std::strerror(errno)),
                     "");
    if (answer.size() + static_cast<std::size_t>(count) > limit_bytes)
      return failure(process, "the JVM's answer is too long", "ask for a summary");
    answer.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

std::string_view without_line_end(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

std::string agent_remedy(std::string_view words) {
  if (words.find("Dynamic agent loading is not enabled") != std::string_view::npos)
    return "the JVM was started with -XX:-EnableDynamicAgentLoading: offheap attach --inject puts the "
           "library in without the JVM's help; or start it without that option, or under offheap run";
  return "";
}

}  // namespace

// 9 and later answer "return code: N", 8 the number alone; anything else is a message about a failure.
std::optional<int> parse_agent_result(std::string_view text) {
  text = without_line_end(text);
  constexpr std::string_view kPrefix = "return code: ";
  if (text.starts_with(kPrefix)) text.remove_prefix(kPrefix.size());
  int code = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), code);
  if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return {};
  return code;
}

Result<AttachAnswer> parse_attach_answer(std::string_view bytes) {
  if (bytes.empty())
    return Error{
        ErrorCode::kUnreadable, "the JVM closed the connection without an answer", "attach socket",
        "it accepts its own user and group, and root of its own user namespace: run offheap as "
        "the JVM's user, or inside its container (docker exec)"};
  const auto line_end = bytes.find('\n');
  const auto line = bytes.substr(0, line_end);
  AttachAnswer answer;
  const auto parsed = std::from_chars(line.data(), line.data() + line.size(), answer.code);
  if (parsed.ec != std::errc{} || parsed.ptr != line.data() + line.size())
    return Error{ErrorCode::kUnreadable, "the answer does not begin with a result code",
                 "attach socket: " + std::string(line.substr(0, 60)), ""};
  if (line_end != std::string_view::npos) answer.text = bytes.substr(line_end + 1);
  return answer;
}

Result<std::string> format_attach_request(std::string_view command,
                                          const std::array<std::string, 3>& arguments) {
  std::string request("1");
  request.push_back('\0');
  request.append(command).push_back('\0');
  for (const std::string& argument : arguments) {
    if (argument.size() > kArgumentLimitBytes || argument.find('\0') != std::string::npos)
      return Error{ErrorCode::kUsage, "an argument that the attach protocol cannot carry",
                   argument.substr(0, 60), "use at most 1024 bytes and no zero byte"};
    request.append(argument).push_back('\0');
  }
  return request;
}

Result<HotspotAttach> HotspotAttach::open(const Process& process, const HotspotAttachOptions& options) {
  if (const auto checked = check_is_hotspot(process); !checked) return checked.error();
  const auto pids = process.read_namespace_pids();
  if (!pids) return pids.error();
  const auto socket_name = fmt::format(".java_pid{}", pids->back());
  const auto socket = find_attach_socket(process, socket_name);
  if (!socket) return socket.error();
  if (!socket->valid()) {
    const auto listens = ask_to_listen(process, socket_name, options.listen_deadline_ns);
    if (!listens) return listens.error();
  }
  return HotspotAttach(process, options, socket_name);
}

Result<AttachAnswer> HotspotAttach::execute(std::string_view command,
                                            const std::array<std::string, 3>& arguments) const {
  const auto request = format_attach_request(command, arguments);
  if (!request) return request.error();
  const auto deadline = Clock::now() + std::chrono::nanoseconds(options_.answer_deadline_ns);
  const auto place = find_attach_socket(*process_, socket_name_);
  if (!place) return place.error();
  if (!place->valid()) return failure(*process_, "the JVM's attach socket is gone", "try again");
  const auto connection = connect_to(*process_, *place, deadline);
  if (!connection) return connection.error();
  const auto sent = send_all(*process_, connection->get(), *request, deadline);
  if (!sent) return sent.error();
  const auto bytes = read_all(*process_, connection->get(), options_.answer_limit_bytes, deadline);
  if (!bytes) return bytes.error();
  return parse_attach_answer(*bytes);
}

Result<std::string> HotspotAttach::diagnose(const std::string& command_line) const {
  auto answer = execute("jcmd", {command_line, "", ""});
  if (!answer) return answer.error();
  if (answer->code != 0)
    return failure(*process_,
                   fmt::format("the JVM refuses {}: {}", command_line, without_line_end(answer->text)),
                   "");
  return std::move(answer->text);
}

Result<int> HotspotAttach::load_agent(const std::string& path, const std::string& options) const {
  const auto answer = execute("load", {path, "true", options});
  if (!answer) return answer.error();
  const auto result = parse_agent_result(answer->text);
  if (answer->code == 0 && result) return *result;
  return failure(*process_,
                 fmt::format("the JVM did not load {}: {}", path, without_line_end(answer->text)),
                 agent_remedy(answer->text));
}

}  // namespace offheap
