// SPDX-License-Identifier: Apache-2.0
#include "container/http.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>

#include "procfs/text_file.h"

namespace offheap {
namespace {

constexpr std::size_t kMostBytes = std::size_t{16} << 20;

using Clock = std::chrono::steady_clock;

Error broken(const char* what) {
  return Error{ErrorCode::kUnreadable, what, "the daemon's answer", ""};
}

bool same_word(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// The value of a header field; empty when it is not there.
std::string_view header_value(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const auto end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && same_word(line.substr(0, colon), name))
      return trimmed(line.substr(colon + 1));
    if (end == std::string_view::npos) break;
    head.remove_prefix(end + 2);
  }
  return {};
}

std::optional<std::size_t> parse_size(std::string_view text, int base) {
  std::size_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return {};
  return value;
}

Result<std::string> join_chunks(std::string_view rest) {
  std::string body;
  while (true) {
    const auto end = rest.find("\r\n");
    if (end == std::string_view::npos) return broken("a chunk without a size");
    const std::string_view line = rest.substr(0, end);
    const auto size = parse_size(trimmed(line.substr(0, line.find(';'))), 16);
    if (!size) return broken("a chunk's size is no number");
    rest.remove_prefix(end + 2);
    if (*size == 0) return body;
    if (*size > rest.size() || rest.size() - *size < 2) return broken("a chunk is cut short");
    body += rest.substr(0, *size);
    if (rest.substr(*size, 2) != "\r\n") return broken("a chunk without an end");
    rest.remove_prefix(*size + 2);
  }
}

int left_ms(Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
  return left.count() > 0 ? static_cast<int>(left.count()) : 0;
}

bool wait_for(int fd, short events, Clock::time_point deadline) {
  while (true) {
    pollfd entry{fd, events, 0};
    const int left = left_ms(deadline);
    const int ready = ::poll(&entry, 1, left);
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR || left == 0) return false;
  }
}

Error late(const std::string& socket_path) {
  return Error{ErrorCode::kUnreadable, "the daemon does not answer in time", socket_path, ""};
}

Error failed(const std::string& socket_path, const char* what) {
  return Error{ErrorCode::kUnreadable, fmt::format("{}: {}", what, std::strerror(errno)), socket_path,
               ""};
}

Result<Descriptor> connect_to(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path)
    return Error{ErrorCode::kUnreadable, "a socket's path has at most 107 bytes", socket_path, ""};
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
  // Without blocking: a full backlog would hold connect() for as long as the daemon hangs.
  Descriptor connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!connection.valid()) return failed(socket_path, "no socket");
  if (::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return failed(socket_path, "nobody listens");
  return connection;
}

Result<bool> send_all(int fd, std::string_view text, const std::string& socket_path,
                      Clock::time_point deadline) {
  while (!text.empty()) {
    const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      text.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (errno != EAGAIN && errno != EINTR) return failed(socket_path, "cannot ask the daemon");
    if (!wait_for(fd, POLLOUT, deadline)) return late(socket_path);
  }
  return true;
}

Result<std::string> receive_all(int fd, const std::string& socket_path, Clock::time_point deadline) {
  std::string bytes;
  char buffer[16384];
  while (bytes.size() <= kMostBytes) {
    if (!wait_for(fd, POLLIN, deadline)) return late(socket_path);
    const ssize_t count = ::recv(fd, buffer, sizeof buffer, 0);
    if (count == 0) return bytes;
    if (count > 0) bytes.append(buffer, static_cast<std::size_t>(count));
    if (count < 0 && errno != EAGAIN && errno != EINTR)
      return failed(socket_path, "cannot read the daemon's answer");
    // A trickle of bytes keeps poll() content.
    if (left_ms(deadline) == 0) return late(socket_path);
  }
  return Error{ErrorCode::kUnreadable, "the daemon's answer is too long", socket_path, ""};
}

}  // namespace

Result<HttpAnswer> parse_http_answer(std::string_view bytes) {
  if (!bytes.starts_with("HTTP/1.")) return broken("not HTTP/1");
  const auto head_end = bytes.find("\r\n\r\n");
  if (head_end == std::string_view::npos) return broken("the header is cut short");
  std::string_view head = bytes.substr(0, head_end);
  const std::string_view rest = bytes.substr(head_end + 4);
  const auto status = head.size() >= 12 ? parse_size(head.substr(9, 3), 10) : std::nullopt;
  if (!status || *status < 100) return broken("no status");
  HttpAnswer answer;
  answer.status = static_cast<int>(*status);
  const auto line_end = head.find("\r\n");
  head.remove_prefix(line_end == std::string_view::npos ? head.size() : line_end + 2);
  if (same_word(header_value(head, "Transfer-Encoding"), "chunked")) {
    auto body = join_chunks(rest);
    if (!body) return body.error();
    answer.body = std::move(*body);
    return answer;
  }
  const std::string_view length = header_value(head, "Content-Length");
  if (length.empty()) {
    answer.body = rest;
    return answer;
  }
  const auto size = parse_size(length, 10);
  if (!size || *size > rest.size()) return broken("the body is cut short");
  answer.body = rest.substr(0, *size);
  return answer;
}

Result<HttpAnswer> http_get(const std::string& socket_path, const std::string& path,
                            std::uint64_t timeout_ns) {
  const auto deadline = Clock::now() + std::chrono::nanoseconds(timeout_ns);
  const auto connection = connect_to(socket_path);
  if (!connection) return connection.error();
  const std::string question =
      fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
  const auto sent = send_all(connection->get(), question, socket_path, deadline);
  if (!sent) return sent.error();
  const auto bytes = receive_all(connection->get(), socket_path, deadline);
  if (!bytes) return bytes.error();
  return parse_http_answer(*bytes);
}

}  // namespace offheap
