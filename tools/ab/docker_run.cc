// SPDX-License-Identifier: Apache-2.0
#include "ab/docker_run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <nlohmann/json.hpp>

#include "ab/server.h"
#include "ab/tree.h"
#include "cgroup/cgroup.h"

namespace offheap::ab {
namespace {

struct DockerAnswer {
  int status = -1;  ///< exit status; -1 = the client could not be executed
  std::string output;
  std::string errors;
};

std::string whole(int file) {
  std::string text(static_cast<std::size_t>(std::max<off_t>(0, ::lseek(file, 0, SEEK_END))), '\0');
  const ssize_t got = ::pread(file, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

DockerAnswer docker(const RunContext& context, std::vector<std::string> words) {
  const Descriptor output(::memfd_create("docker", MFD_CLOEXEC));
  const Descriptor errors(::memfd_create("docker", MFD_CLOEXEC));
  words.insert(words.begin(), "docker");
  auto child = Child::start({std::move(words), context.plain_environment, output.get(), errors.get()});
  if (!child) return {-1, "", "the docker client: " + child.error().remedy};
  const ChildEnd end = child->wait({});
  return {WIFEXITED(end.status) ? WEXITSTATUS(end.status) : 128 + WTERMSIG(end.status),
          whole(output.get()), whole(errors.get())};
}

struct ContainerState {
  bool running = false;
  bool oom_killed = false;
  int exit_code = 0;
  pid_t pid = 0;
};

std::optional<ContainerState> inspect(const RunContext& context, const std::string& name) {
  const auto answer = docker(context, {"inspect", "--format", "{{json .State}}", name});
  const auto json = nlohmann::json::parse(answer.output, nullptr, false);
  if (answer.status != 0 || !json.is_object()) return {};
  return ContainerState{json.value("Running", false), json.value("OOMKilled", false),
                        json.value("ExitCode", 0), json.value("Pid", 0)};
}

/// The processes of a cgroup, by the host's pids.
std::vector<pid_t> pids_in(const std::string& directory) {
  std::vector<pid_t> pids;
  const auto text = read_text(AT_FDCWD, (directory + "/cgroup.procs").c_str());
  if (!text) return pids;
  for (const char* at = text->data(); at < text->data() + text->size();) {
    pid_t pid = 0;
    const auto parsed = std::from_chars(at, text->data() + text->size(), pid);
    if (parsed.ec != std::errc{}) break;
    pids.push_back(pid);
    at = parsed.ptr + 1;
  }
  return pids;
}

/// A container from create to its removal.
class Container {
 public:
  explicit Container(const RunContext& context)
      : context_(context), name_(fmt::format("offheap-ab-{}-{}", ::getpid(), context.label)) {
    for (char& c : name_)
      if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-') c = '-';
  }
  ~Container() { docker(context_, {"rm", "--force", "--volumes", name_}); }
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;

  /// Empty when it runs, else why not.
  std::string start() {
    auto answer = docker(context_, docker_create_words(context_, name_));
    if (answer.status == 0) answer = docker(context_, {"start", name_});
    return answer.status == 0 ? "" : "docker: " + answer.errors;
  }

  [[nodiscard]] std::optional<ContainerState> state() const { return inspect(context_, name_); }
  void signal(int signal) { docker(context_, {"kill", "--signal", std::to_string(signal), name_}); }
  [[nodiscard]] const std::string& name() const { return name_; }

  /// Its last lines, for a message.
  std::string last_words() {
    const auto answer = docker(context_, {"logs", "--tail", "3", name_});
    std::string words = answer.errors.empty() ? answer.output : answer.errors;
    std::replace(words.begin(), words.end(), '\n', ';');
    return words.substr(0, 300);
  }

  std::string output() {
    const auto answer = docker(context_, {"logs", name_});
    return answer.output + "\n" + answer.errors;
  }

 private:
  const RunContext& context_;
  std::string name_;
};

void set_container_outcome(const ContainerState& state, const Watched& watched, Container& container,
                           Row& row) {
  ChildEnd end;
  end.status = state.exit_code << 8;
  Watched seen = watched;
  if (state.oom_killed) seen.oom_kills = 1;
  // Docker also says OOMKilled when another process of the container was the victim.
  set_outcome(end, seen, state.exit_code == 0 ? "" : container.last_words(), row);
}

/// Waits for its end without asking the daemon all the time.
void wait_for_end(const std::vector<pid_t>& first, const std::function<bool()>& go_on) {
  constexpr int kPoll_us = 20'000;
  while (go_on() && !first.empty() && ::kill(first.front(), 0) == 0) ::usleep(kPoll_us);
}

WatchOptions watch_options(const RunContext& context, Container& container, pid_t pid) {
  WatchOptions watch;
  watch.timeout_seconds = context.request.timeout_seconds;
  watch.lock_waits = wants_lock_waits(context.request);
  watch.measure_from_start = context.request.load.empty();
  std::string directory;
  if (const auto cgroup = read_cgroup(pid)) directory = cgroup->directory;
  watch.members = [directory, pid] {
    auto pids = pids_in(directory);
    return pids.empty() ? std::vector<pid_t>{pid} : pids;
  };
  watch.end = [&container] {
    container.signal(SIGKILL);
    signal_descendants(SIGKILL);
  };
  return watch;
}

/// What the container's first process used itself, to a tick of the kernel's.
void set_times(pid_t pid, Row& row) {
  const auto process = Process::open(pid);
  if (!process) return;
  const auto times = process->read_times();
  if (!times) return;
  const auto per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
  row.values["user_seconds"] = static_cast<double>(times->user_ticks) / per_second;
  row.values["system_seconds"] = static_cast<double>(times->system_ticks) / per_second;
}

void note_missing_sight(pid_t pid, Row& row) {
  if (pid <= 0 || ::access(fmt::format("/proc/{}", pid).c_str(), F_OK) != 0)
    row.notes.emplace_back("the container's processes are not to be seen from here: no memory figures");
}

std::optional<Row> finish(const RunContext& context, Container& container, Watcher& watcher, Row row) {
  const Watched watched = watcher.stop();
  if (watched.interrupted) return {};
  const auto state = container.state();
  set_watched(watched, row);
  if (state && row.outcome == Outcome::kDone &&
      (context.request.load.empty() || watched.timed_out || state->oom_killed))
    set_container_outcome(*state, watched, container, row);
  keep_measured(context.request, row);
  return row;
}

}  // namespace

std::string path_in_container(const std::string& library) {
  return "/opt/offheap/backend" + library.substr(library.rfind('/'));
}

std::vector<std::string> docker_create_words(const RunContext& context, const std::string& name) {
  const RunRequest& request = context.request;
  std::vector<std::string> words = {"create", "--name", name};
  if (!request.memory_limit.empty())
    for (const char* option : {"--memory", "--memory-swap"})
      words.insert(words.end(), {option, request.memory_limit});
  for (const std::string& mount : context.mounts) words.insert(words.end(), {"--volume", mount});
  for (const std::string& variable : context.environment)
    words.insert(words.end(), {"--env", variable});
  words.insert(words.end(), request.docker_arguments.begin(), request.docker_arguments.end());
  words.push_back(request.image);
  words.insert(words.end(), request.command.begin(), request.command.end());
  return words;
}

std::optional<Row> run_in_docker(const RunContext& context) {
  Row row;
  Container container(context);
  const std::string problem = container.start();
  if (!problem.empty()) {
    row.outcome = Outcome::kNotStarted;
    row.problem = problem;
    return row;
  }
  const auto started = container.state();
  const pid_t pid = started ? started->pid : 0;
  note_missing_sight(pid, row);
  Watcher watcher(pid, watch_options(context, container, pid));
  if (!context.request.load.empty()) {
    const auto running = [&] { return pid > 0 && ::kill(pid, 0) == 0; };
    put_under_load(context, watcher, running, row);
    if (running()) container.signal(context.request.stop_signal);
    constexpr double kStopTimeout_seconds = 10;
    const double stop_at = watcher.seconds() + kStopTimeout_seconds;
    wait_for_end({pid}, [&] { return pid > 0 && watcher.seconds() < stop_at; });
    return finish(context, container, watcher, std::move(row));
  }
  // A container that is held at its exit is looked at there, as a command of ours is.
  if (pid > 0)
    hold_at_exit(pid, [&](bool by_signal) {
      row.values["peak_rss_bytes"] = static_cast<double>(peak_resident_bytes(pid));
      set_times(pid, row);
      if (!by_signal && wants_heap(context.request)) add_look(context.look(pid, true), row);
    });
  row.values["wall_seconds"] = watcher.seconds();
  docker(context, {"wait", container.name()});
  set_parsed(context.request, container.output(), row);
  return finish(context, container, watcher, std::move(row));
}

}  // namespace offheap::ab
