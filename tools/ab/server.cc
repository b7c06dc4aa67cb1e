// SPDX-License-Identifier: Apache-2.0
#include "ab/server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>

#include "ab/tree.h"

namespace offheap::ab {
namespace {

constexpr const char* kShell = "/bin/sh";
constexpr int kProbeTimeout_ms = 2000;
constexpr int kProbePeriod_ms = 50;
constexpr int kStopTimeout_ms = 10'000;
constexpr int kShellNotFound = 127;
constexpr int kShellNotExecutable = 126;

Error no_probe(std::string_view text) {
  return {ErrorCode::kUsage, "not a probe", std::string(text),
          "write tcp:PORT, http://127.0.0.1:PORT/PATH or a shell command; only this machine is asked"};
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || port == 0) return {};
  return port;
}

bool wait_until_ready(int socket, short events) {
  pollfd waiting{socket, events, 0};
  return ::poll(&waiting, 1, kProbeTimeout_ms) == 1;
}

/// A connection to this machine's port, or an invalid descriptor.
Descriptor connect_to(std::uint16_t port) {
  Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return socket;
  int problem = 0;
  socklen_t size = sizeof problem;
  if (errno != EINPROGRESS || !wait_until_ready(socket.get(), POLLOUT) ||
      ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &problem, &size) != 0 || problem != 0)
    return {};
  return socket;
}

/// Whether the answer to a GET begins with a status of 2xx or 3xx.
bool http_answers(const Probe& probe) {
  const Descriptor socket = connect_to(probe.port);
  if (!socket.valid()) return false;
  const std::string request = fmt::format(
      "GET {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", probe.path, probe.port);
  if (::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size()))
    return false;
  std::string answer;
  constexpr std::size_t kStatusAt = 9;  // behind "HTTP/1.1 "
  while (answer.size() <= kStatusAt && wait_until_ready(socket.get(), POLLIN)) {
    std::array<char, 256> part{};
    const ssize_t got = ::recv(socket.get(), part.data(), part.size(), 0);
    if (got <= 0) break;
    answer.append(part.data(), static_cast<std::size_t>(got));
  }
  return answer.starts_with("HTTP/1.") && answer.size() > kStatusAt &&
         (answer[kStatusAt] == '2' || answer[kStatusAt] == '3');
}

/// A shell command of ours beside the server. `exit_status` is that of the shell, or 128 + a signal.
struct SideCommand {
  bool started = false;
  int exit_status = 0;
  double seconds = 0;
};

SideCommand run_beside(const RunContext& context, const std::string& text, const OutputFiles& files,
                       Watcher& watcher, const std::function<bool()>& go_on) {
  ChildOptions options;
  options.command = {kShell, "-c", text};
  options.environment = context.plain_environment;
  options.output = files.output();
  options.errors = files.errors();
  auto child = Child::start(options);
  if (!child) return {};
  watcher.exclude(child->pid());
  SideCommand done{true, 0, 0};
  constexpr int kPoll_ms = 20;
  for (;;) {
    if (const auto end = child->wait_for(kPoll_ms)) {
      done.exit_status =
          WIFEXITED(end->status) ? WEXITSTATUS(end->status) : 128 + WTERMSIG(end->status);
      done.seconds = child->wall_seconds();
      return done;
    }
    if (!go_on()) ::kill(-child->pid(), SIGKILL);
  }
}

bool is_ready(const RunContext& context, const Probe& probe, Watcher& watcher,
              const std::function<bool()>& running) {
  if (probe.kind == Probe::Kind::kTcp) return connect_to(probe.port).valid();
  if (probe.kind == Probe::Kind::kHttp) return http_answers(probe);
  const OutputFiles files(context, "-ready");
  const auto done = run_beside(context, probe.command, files, watcher, running);
  return done.started && done.exit_status == 0;
}

/// Empty once it is ready, else what is wrong.
std::string wait_until_it_answers(const RunContext& context, Watcher& watcher,
                                  const std::function<bool()>& running) {
  const auto probe = parse_probe(context.request.ready);
  if (!probe) return probe.error().what;
  const double limit_seconds = context.request.ready_timeout_seconds;
  while (watcher.seconds() < limit_seconds) {
    if (!running()) return "it ended before it was ready";
    if (is_ready(context, *probe, watcher, running)) return {};
    ::usleep(kProbePeriod_ms * 1000);
  }
  return fmt::format("not ready within {:.0f} s: {}", limit_seconds, context.request.ready);
}

void set_load_failed(const SideCommand& load, const OutputFiles& files, Row& row) {
  const bool missing =
      !load.started || load.exit_status == kShellNotFound || load.exit_status == kShellNotExecutable;
  row.outcome = missing ? Outcome::kNotStarted : Outcome::kLoadFailed;
  row.code = load.exit_status;
  const std::string words = files.last_words();
  row.problem = missing ? "the load cannot be executed"
                        : fmt::format("the load left with exit status {}", load.exit_status);
  if (!words.empty()) row.problem += ": " + words;
}

}  // namespace

Result<Probe> parse_probe(std::string_view text) {
  constexpr std::string_view kTcp = "tcp:";
  constexpr std::string_view kHttp = "http://";
  Probe probe;
  if (text.starts_with(kTcp)) {
    const auto port = parse_port(text.substr(kTcp.size()));
    if (!port) return no_probe(text);
    probe.kind = Probe::Kind::kTcp;
    probe.port = *port;
    return probe;
  }
  if (!text.starts_with(kHttp)) {
    if (text.empty()) return no_probe(text);
    probe.command = text;
    return probe;
  }
  std::string_view rest = text.substr(kHttp.size());
  const auto slash = std::min(rest.find('/'), rest.size());
  const std::string_view authority = rest.substr(0, slash);
  const auto colon = std::min(authority.find(':'), authority.size());
  const std::string_view host = authority.substr(0, colon);
  const auto port = colon == authority.size() ? std::optional<std::uint16_t>(80)
                                              : parse_port(authority.substr(colon + 1));
  const bool blank = rest.find_first_of(" \t\r\n") != std::string_view::npos;
  if ((host != "127.0.0.1" && host != "localhost") || !port || blank) return no_probe(text);
  probe.kind = Probe::Kind::kHttp;
  probe.port = *port;
  probe.path = slash == rest.size() ? "/" : std::string(rest.substr(slash));
  return probe;
}

Result<int> parse_signal(std::string_view text) {
  if (text.starts_with("SIG")) text.remove_prefix(3);
  int number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool numeric = parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
  for (int signal = 1; signal < NSIG; ++signal) {
    const char* name = ::sigabbrev_np(signal);
    if (numeric ? number == signal : name != nullptr && text == name) return signal;
  }
  return Error{ErrorCode::kUsage, "no signal", std::string(text), "write TERM, INT, QUIT or a number"};
}

namespace {

/// Words at blanks, quotes taken off; nothing where a quote is left open.
std::optional<std::vector<std::string>> words_of(std::string_view text) {
  std::vector<std::string> words;
  char quote = 0;
  bool inside = false;
  for (const char c : text) {
    if (quote == 0 && (c == ' ' || c == '\t')) {
      inside = false;
      continue;
    }
    if (!inside) words.emplace_back();
    inside = true;
    if (c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else {
      words.back() += c;
    }
  }
  return quote == 0 ? std::optional(words) : std::nullopt;
}

}  // namespace

/// Without a shell where none is needed: it would be the process that is measured, and that the signal
/// which ends a server comes to.
std::vector<std::string> shell_command(const std::string& text) {
  // A word with '=' first would be an assignment.
  const auto first = text.substr(0, text.find(' '));
  const bool plain = text.find_first_of("`$&|;<>()*?[]{}~#\\\n!") == std::string::npos &&
                     first.find('=') == std::string::npos;
  const auto words = plain ? words_of(text) : std::nullopt;
  if (words && !words->empty()) return *words;
  return {kShell, "-c", text};
}

void put_under_load(const RunContext& context, Watcher& watcher, const std::function<bool()>& running,
                    Row& row) {
  const std::string problem = wait_until_it_answers(context, watcher, running);
  if (!problem.empty()) {
    row.outcome = Outcome::kNotReady;
    row.problem = problem;
    return;
  }
  const OutputFiles files(context, "-load");
  watcher.begin_measuring();
  const SideCommand load = run_beside(context, context.request.load, files, watcher, running);
  watcher.end_measuring();
  if (!running()) return;
  row.values["wall_seconds"] = load.seconds;
  if (!load.started || load.exit_status != 0) {
    set_load_failed(load, files, row);
    return;
  }
  set_parsed(context.request, files.text(), row);
  if (!context.request.parsers.empty() && !row.values.contains("throughput_per_second") &&
      !row.values.contains("latency_mean_seconds")) {
    row.outcome = Outcome::kLoadFailed;
    row.code = load.exit_status;
    row.problem = "the load's output held no figure: " + files.last_words();
  }
  const Watched now = watcher.look();
  row.values["end_rss_bytes"] = static_cast<double>(now.last_rss_bytes);
  if (now.largest != 0) {
    row.values["peak_rss_bytes"] = static_cast<double>(peak_resident_bytes(now.largest));
    if (wants_heap(context.request)) add_look(context.look(now.largest, false), row);
  }
}

std::optional<Row> run_server(const RunContext& context) {
  Row row;
  const OutputFiles files(context, "");
  const ChildOptions options = child_options(context, files);
  auto child = Child::start(options);
  if (!child) {
    set_not_started(child.error(), row);
    return row;
  }
  WatchOptions watch = watch_options(context.request);
  watch.measure_from_start = false;
  Watcher watcher(child->pid(), std::move(watch));
  std::optional<ChildEnd> end;
  const auto running = [&] {
    if (!end) end = child->wait_for(0);
    return !end.has_value();
  };
  put_under_load(context, watcher, running, row);
  const bool ended_itself = !running();
  if (!ended_itself) {
    // A shell may stand between us and the server.
    const bool shell = context.request.command.front() == kShell;
    ::kill(shell ? -child->pid() : child->pid(), context.request.stop_signal);
    end = child->wait_for(kStopTimeout_ms);
    if (!end) {
      row.notes.push_back("it did not end at the stop signal and was killed");
      ::kill(child->pid(), SIGKILL);
      end = child->wait_for(kStopTimeout_ms);
    }
  }
  const Watched watched = watcher.stop();
  end_descendants();
  if (watched.interrupted) return {};
  if (end) set_usage(end->usage, row);
  set_watched(watched, row);
  // A server that was stopped may leave with what it likes; one that left by itself is the result.
  if (end && (ended_itself || watched.timed_out)) {
    set_outcome(*end, watched, files.last_words(), row);
    if (row.outcome == Outcome::kDone) {
      row.outcome = Outcome::kNotReady;
      row.problem = "the server left with exit status 0 before its load was done";
    }
  }
  keep_measured(context.request, row);
  return row;
}

}  // namespace offheap::ab
