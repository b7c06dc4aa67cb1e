// SPDX-License-Identifier: Apache-2.0
//
// offheap host: one look at a host in trouble, or one after the other. All memory is taken before the
// first look; see host/own_memory.h.
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <optional>

#include "commands/commands.h"
#include "commands/explain.h"
#include "host/own_memory.h"
#include "host/read.h"
#include "host/screen.h"

namespace offheap {
namespace {

using host::Arena;
using host::HostLook;
using host::LookOptions;
using host::OwnMemory;

constexpr std::string_view kWholeScreen = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view kOldScreen = "\x1b[?25h\x1b[?1049l";
constexpr std::uint64_t kDefaultInterval_ns = 2'000'000'000;

struct HostAsked {
  std::string between;
  std::vector<std::string> watch;
  bool watching = false;
  bool json = false;
  bool all = false;
};

volatile std::sig_atomic_t ended = 0;
void end_it(int) { ended = 1; }

/// To standard output through a buffer that is there already.
class Output {
 public:
  explicit Output(OwnMemory& own) : own_(own) {}
  ~Output() { flush(); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void add(std::string_view text) {
    while (!text.empty()) {
      if (used_ == buffer_.size()) flush();
      const std::size_t count = std::min(text.size(), buffer_.size() - used_);
      std::memcpy(buffer_.data() + used_, text.data(), count);
      used_ += count;
      text.remove_prefix(count);
    }
  }
  /// False when nobody reads any more.
  bool flush() {
    std::size_t at = 0;
    while (at < used_) {
      const ssize_t count = ::write(STDOUT_FILENO, buffer_.data() + at, used_ - at);
      if (count < 0 && errno != EINTR && !wait_for_memory()) return false;
      if (count > 0) at += static_cast<std::size_t>(count);
    }
    used_ = 0;
    return true;
  }

 private:
  /// A pipe takes pages of the writer's cgroup. Where that has none left, there are some elsewhere or
  /// later.
  bool wait_for_memory() {
    if ((errno != ENOMEM && errno != EAGAIN) || ended) return false;
    host::step_aside(own_);
    constexpr timespec kMoment{0, 20'000'000};
    ::nanosleep(&kMoment, nullptr);
    return true;
  }

  OwnMemory& own_;
  std::array<char, 16384> buffer_{};
  std::size_t used_ = 0;
};

/// Keys one by one and without echo, while it lives; nothing where standard input is no terminal.
class Keys {
 public:
  Keys() : terminal_(::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!terminal_) return;
    termios single = before_;
    single.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &single);
  }
  ~Keys() {
    if (terminal_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;

  /// Waits; true when q was pressed or a signal says that it is to end.
  [[nodiscard]] bool quit_within(std::uint64_t wait_ns) const {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    const std::uint64_t end_ns = host::monotonic_ns() + wait_ns;
    while (!ended) {
      const std::uint64_t now = host::monotonic_ns();
      const int left_ms = now < end_ns ? static_cast<int>((end_ns - now) / 1'000'000) : 0;
      if (::poll(&input, terminal_ ? 1 : 0, left_ms) <= 0) {
        if (left_ms == 0) return false;
        continue;
      }
      char key = 0;
      if (::read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q') return true;
    }
    return true;
  }

 private:
  termios before_{};
  bool terminal_;
};

HostLook look_with_notes(const LookOptions& options, Arena& arena, const OwnMemory& own) {
  HostLook look = host::read_host(options, arena);
  for (const std::string& text : own.notes) host::note(look, text);
  return look;
}

void show(const HostLook& look, const HostAsked& asked, Output& output) {
  if (asked.json)
    host::write_host_json(look, [&output](std::string_view piece) { output.add(piece); });
  else
    output.add(host::render_screen(look, {colours_wanted(), asked.all}));
}

/// Over the last screen: each line ends what was there, and so does the last.
void show_in_place(const HostLook& look, const HostAsked& asked, Output& output) {
  const std::string screen = host::render_screen(look, {colours_wanted(), asked.all});
  output.add("\x1b[H");
  std::string_view rest = screen;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    output.add(rest.substr(0, end));
    output.add("\x1b[K\n");
    rest.remove_prefix(std::min(rest.size(), end == std::string_view::npos ? rest.size() : end + 1));
  }
  output.add("\x1b[J");
}

int watch(const HostAsked& asked, const LookOptions& options, std::uint64_t interval_ns, Arena& arena,
          OwnMemory& own) {
  struct sigaction action {};
  action.sa_handler = end_it;  // without SA_RESTART: it is to end a wait
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  const bool in_place = ::isatty(STDOUT_FILENO) == 1 && !asked.json;
  const Keys keys;
  Output output(own);
  if (in_place) output.add(kWholeScreen);
  while (!ended) {
    const std::uint64_t begin_ns = host::monotonic_ns();
    host::step_aside(own);
    const HostLook look = look_with_notes(options, arena, own);
    if (in_place)
      show_in_place(look, asked, output);
    else
      show(look, asked, output);
    if (!in_place && !asked.json) output.add("\n");
    if (!output.flush()) break;
    const std::uint64_t took_ns = host::monotonic_ns() - begin_ns;
    if (keys.quit_within(interval_ns > took_ns ? interval_ns - took_ns : 0)) break;
  }
  if (in_place) output.add(kOldScreen);
  return 0;
}

Result<std::uint64_t> duration_of(const std::string& text, std::uint64_t otherwise) {
  if (text.empty()) return otherwise;
  const auto ns = parse_duration_ns(text);
  if (!ns) return Error{ErrorCode::kUsage, "no duration", text, "write 30s, 500ms, 2m or 1h"};
  return *ns;
}

Result<int> do_host(const HostAsked& asked) {
  LookOptions options;
  const auto between = duration_of(asked.between, options.between_looks_ns);
  if (!between) return between.error();
  options.between_looks_ns = *between;
  const auto interval =
      duration_of(asked.watch.empty() ? "" : asked.watch.front(), kDefaultInterval_ns);
  if (!interval) return interval.error();
  OwnMemory own = host::take_own_memory();
  if (own.block.empty())
    return Error{
        ErrorCode::kUnreadable, "no memory to look with", "the own memory cgroup",
        "run offheap host from a shell in another cgroup, or as root, which can leave this one"};
  options.ask_docker = !own.room_bytes || own.left_group || *own.room_bytes > 2 * own.block.size();
  Arena arena(own.block);
  if (asked.watching) return watch(asked, options, *interval, arena, own);
  Output output(own);
  show(look_with_notes(options, arena, own), asked, output);
  return 0;
}

}  // namespace

void add_host(Commands& commands) {
  static HostAsked asked;
  auto* command = commands.add(
      "host", "A host in trouble on one screen, and what to do; works without memory to spare",
      kRightsToLook | right(CAP_IPC_LOCK) | right(CAP_SYS_RESOURCE), [] { return do_host(asked); });
  command->add_option("--for", asked.between,
                      "time between the two looks that growth is taken from: 200ms, 10s");
  command
      ->add_option_function<std::vector<std::string>>(
          "--watch",
          [](const std::vector<std::string>& words) { asked.watch = words, asked.watching = true; },
          "look again and again, every 2s or as often as is said; q or ^C ends it")
      ->expected(0, 1);
  command->add_flag("--json", asked.json, "schema offheap.host/1");
  command->add_flag("--all", asked.all, "every cgroup, place and note, on as many lines as it takes");
}

}  // namespace offheap
