// SPDX-License-Identifier: Apache-2.0
#include "ab/run_one.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "ab/tree.h"

namespace offheap::ab {
namespace {

constexpr off_t kMostOutputBytes = off_t{4} << 20;
constexpr int kShellAddsToSignal = 128;

std::string tail_of(int file) {
  struct stat status {};
  if (file < 0 || ::fstat(file, &status) != 0) return {};
  const off_t begin = std::max(off_t{0}, status.st_size - kMostOutputBytes);
  std::string text(static_cast<std::size_t>(status.st_size - begin), '\0');
  const ssize_t got = ::pread(file, text.data(), text.size(), begin);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

/// The last three lines with something in them, cut to what fits a table's note.
std::string last_lines(std::string text) {
  constexpr std::size_t kLines = 3;
  constexpr std::size_t kMost = 300;
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.pop_back();
  std::size_t begin = text.size();
  for (std::size_t i = 0; i < kLines && begin != 0 && begin != std::string::npos; ++i)
    begin = begin == 0 ? 0 : text.rfind('\n', begin - 1);
  if (begin != std::string::npos && begin < text.size() && text[begin] == '\n') ++begin;
  text = begin == std::string::npos ? text : text.substr(begin);
  if (text.size() > kMost) text = "..." + text.substr(text.size() - kMost);
  std::replace(text.begin(), text.end(), '\n', ';');
  return text;
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

OutputFiles::OutputFiles(const RunContext& context, const std::string& suffix)
    : keep_(context.request.keep_output) {
  const std::string base =
      fmt::format("{}/{}{}", context.request.output_directory, context.label, suffix);
  paths_ = {base + ".out", base + ".err"};
  constexpr int kFlags = O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC;
  output_ = Descriptor(::open(paths_[0].c_str(), kFlags, 0644));
  errors_ = Descriptor(::open(paths_[1].c_str(), kFlags, 0644));
}

OutputFiles::~OutputFiles() {
  if (keep_) return;
  for (const std::string& path : paths_) ::unlink(path.c_str());
}

std::string OutputFiles::text() const { return tail_of(output_.get()) + "\n" + tail_of(errors_.get()); }

std::string OutputFiles::last_words() const {
  auto words = last_lines(tail_of(errors_.get()));
  return words.empty() ? last_lines(tail_of(output_.get())) : words;
}

void set_outcome(const ChildEnd& end, const Watched& watched, const std::string& last_words, Row& row) {
  const bool signalled = WIFSIGNALED(end.status);
  const int code = signalled ? WTERMSIG(end.status) : WEXITSTATUS(end.status);
  const bool killed =
      (signalled && code == SIGKILL) || (!signalled && code == kShellAddsToSignal + SIGKILL);
  std::string what;
  if (watched.timed_out) {
    row.outcome = Outcome::kTimedOut;
    what = "stopped: it took longer than --timeout";
  } else if (killed && watched.oom_kills.value_or(0) > 0) {
    row.outcome = Outcome::kOomKilled;
    what = "killed by the kernel at the memory limit";
  } else if (signalled) {
    row.outcome = Outcome::kSignal;
    what = fmt::format("ended by signal {} ({})", code, ::strsignal(code));
  } else if (code != 0) {
    row.outcome = Outcome::kExitStatus;
    what = fmt::format("exit status {}", code);
  } else {
    row.outcome = Outcome::kDone;
  }
  row.code = code;
  if (row.outcome != Outcome::kDone) row.problem = what + (last_words.empty() ? "" : ": " + last_words);
}

void set_usage(const rusage& usage, Row& row) {
  row.values["user_seconds"] = seconds_of(usage.ru_utime);
  row.values["system_seconds"] = seconds_of(usage.ru_stime);
  row.values["minor_faults"] = static_cast<double>(usage.ru_minflt);
  row.values["major_faults"] = static_cast<double>(usage.ru_majflt);
  row.values["voluntary_switches"] = static_cast<double>(usage.ru_nvcsw);
  row.values["involuntary_switches"] = static_cast<double>(usage.ru_nivcsw);
}

void set_watched(const Watched& watched, Row& row) {
  row.rss = watched.points;
  if (watched.waits_measured) {
    row.values["lock_wait_seconds"] = watched.lock_wait_seconds;
    row.values["futex_wait_seconds"] = watched.futex_wait_seconds;
  }
  if (watched.samples == 0) return;
  row.values.try_emplace("peak_rss_bytes", static_cast<double>(watched.peak_rss_bytes));
  // Between two samples the tree cannot have held less than its process did.
  row.values["tree_peak_rss_bytes"] =
      std::max(static_cast<double>(watched.tree_peak_rss_bytes), row.values["peak_rss_bytes"]);
  row.values["mean_rss_bytes"] = watched.mean_rss_bytes;
  row.values["tree_mean_rss_bytes"] = watched.tree_mean_rss_bytes;
}

void set_parsed(const RunRequest& request, const std::string& text, Row& row) {
  for (const LoadParser& parser : request.parsers)
    for (const auto& [key, value] : parse_load_output(parser, text)) row.values[key] = value;
}

void keep_measured(const RunRequest& request, Row& row) {
  std::erase_if(row.values, [&](const auto& value) { return !request.wants(value.first.c_str()); });
}

void add_look(EndLook look, Row& row) {
  for (const auto& [key, value] : look.values) row.values[key] = value;
  row.notes.insert(row.notes.end(), look.notes.begin(), look.notes.end());
}

bool wants_heap(const RunRequest& request) {
  return request.wants("live_bytes") || request.wants("free_resident_bytes") ||
         request.wants("fragmentation_ratio") || request.wants("end_rss_bytes");
}

bool wants_lock_waits(const RunRequest& request) {
  return request.wants("lock_wait_seconds") || request.wants("futex_wait_seconds");
}

ChildOptions child_options(const RunContext& context, const OutputFiles& files) {
  ChildOptions options;
  options.command = context.request.command;
  options.environment = context.environment;
  options.output = files.output();
  options.errors = files.errors();
  return options;
}

WatchOptions watch_options(const RunRequest& request) {
  WatchOptions watch;
  watch.timeout_seconds = request.timeout_seconds;
  watch.lock_waits = wants_lock_waits(request);
  return watch;
}

void set_not_started(const Error& error, Row& row) {
  row.outcome = Outcome::kNotStarted;
  row.problem = fmt::format("{}: {}: {}", error.where, error.what, error.remedy);
}

std::optional<Row> run_batch(const RunContext& context) {
  Row row;
  const OutputFiles files(context, "");
  ChildOptions options = child_options(context, files);
  options.hold_at_exit = wants_heap(context.request) || context.request.wants("peak_rss_bytes");
  auto child = Child::start(options);
  if (!child) {
    set_not_started(child.error(), row);
    return row;
  }
  WatchOptions watch = watch_options(context.request);
  Watcher watcher(child->pid(), std::move(watch));
  bool looked = false;
  const ChildEnd end = child->wait([&](bool by_signal) {
    looked = true;
    watcher.see_cgroup();
    row.values["peak_rss_bytes"] = static_cast<double>(peak_resident_bytes(child->pid()));
    if (!by_signal && wants_heap(context.request)) add_look(context.look(child->pid(), true), row);
  });
  row.values["wall_seconds"] = child->wall_seconds();
  const Watched watched = watcher.stop();
  const std::size_t left = end_descendants();
  if (watched.interrupted) return {};
  if (left != 0) row.notes.push_back(fmt::format("{} processes that it left behind were ended", left));
  if (options.hold_at_exit && !looked)
    row.notes.push_back("its heap was not seen at its end" +
                        (child->hold_problem().empty() ? "" : ": " + child->hold_problem()));
  set_usage(end.usage, row);
  set_watched(watched, row);
  set_outcome(end, watched, files.last_words(), row);
  set_parsed(context.request, files.text(), row);
  if (row.outcome == Outcome::kDone && !context.request.parsers.empty() &&
      !row.values.contains("throughput_per_second")) {
    row.notes.push_back("its output held no figure for --parse");
  }
  keep_measured(context.request, row);
  return row;
}

}  // namespace offheap::ab
