// SPDX-License-Identifier: Apache-2.0
#include "ab/watcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>

#include "ab/tree.h"
#include "cgroup/cgroup.h"
#include "procfs/text_file.h"

namespace offheap::ab {
namespace {

constexpr std::uint64_t kPeriod_ns = 10'000'000;
constexpr std::uint64_t kMembersPeriod_ns = 100'000'000;
/// 2 % of one CPU each for looking and for finding the processes to look at; in CPU time, since on a
/// busy machine a look takes long without costing much.
constexpr std::uint64_t kRestPerWork = 50;
constexpr std::size_t kMostPoints = 600;

std::atomic<bool> interruption{false};

/// Kills that each cgroup counted when a run in it ended. One watcher lives at a time.
std::map<std::string, std::uint64_t> kills_seen;

void interrupt(int) { interruption = true; }

std::uint64_t read_clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t now_ns() { return read_clock_ns(CLOCK_MONOTONIC); }
std::uint64_t thread_cpu_ns() { return read_clock_ns(CLOCK_THREAD_CPUTIME_ID); }

/// The count of a memory cgroup's own kills; v2 and v1 name it alike in different files.
std::optional<std::uint64_t> oom_kills_in(const std::string& directory) {
  for (const char* name : {"/memory.events", "/memory.oom_control"}) {
    const auto text = read_text(AT_FDCWD, (directory + name).c_str());
    if (!text) continue;
    const auto values = parse_flat_keyed(*text);
    if (const auto kills = values.find("oom_kill"); kills != values.end()) return kills->second;
  }
  return {};
}

}  // namespace

bool interrupted() { return interruption; }

void install_interrupts() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    action.sa_handler = interrupt;
    ::sigaction(signal, &action, nullptr);
  }
}

Watcher::Watcher(pid_t root, WatchOptions options)
    : root_(root),
      options_(std::move(options)),
      begin_ns_(now_ns()),
      last_ns_(begin_ns_),
      measuring_(options_.measure_from_start) {
  if (!options_.members) {
    options_.members = [this] { return descendants_of(read_parents(), ::getpid(), options_.excluded); };
  }
  if (!options_.end) options_.end = [] { signal_descendants(SIGKILL); };
  thread_ = std::thread([this] { run(); });
}

Watcher::~Watcher() {
  if (thread_.joinable()) stop();
}

double Watcher::seconds() const { return static_cast<double>(now_ns() - begin_ns_) * 1e-9; }

void Watcher::exclude(pid_t pid) {
  const std::lock_guard lock(mutex_);
  options_.excluded.push_back(pid);
  members_due_ns_ = 0;
}

Watched Watcher::look() {
  const std::lock_guard lock(mutex_);
  sample();
  return watched_;
}

Watched Watcher::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopping_changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (!cgroup_directory_.empty()) {
    const auto kills = oom_kills_in(cgroup_directory_);
    if (kills) {
      watched_.oom_kills = *kills - std::min(*kills, oom_kills_before_);
      kills_seen[cgroup_directory_] = *kills;
    }
  }
  return watched_;
}

void Watcher::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const std::uint64_t begin_ns = thread_cpu_ns();
    if (end_if_wanted()) {
      // Again and again, until there is nothing left to wait for.
      stopping_changed_.wait_for(lock, std::chrono::milliseconds(50));
      continue;
    }
    sample();
    const std::uint64_t work_ns = thread_cpu_ns() - begin_ns - members_work_ns_;
    const std::uint64_t rest_ns = std::max(kPeriod_ns, kRestPerWork * work_ns);
    // A long rest must not make a deadline late.
    for (std::uint64_t rested_ns = 0; rested_ns < rest_ns && !stopping_ && !interruption;
         rested_ns += kMembersPeriod_ns)
      stopping_changed_.wait_for(
          lock, std::chrono::nanoseconds(std::min(kMembersPeriod_ns, rest_ns - rested_ns)));
  }
}

bool Watcher::end_if_wanted() {
  if (interruption) watched_.interrupted = true;
  if (options_.timeout_seconds > 0 && seconds() > options_.timeout_seconds) watched_.timed_out = true;
  if (!watched_.interrupted && !watched_.timed_out) return false;
  options_.end();
  return true;
}

void Watcher::refresh_members() {
  watched_.last_members = options_.members();
  if (options_.lock_waits) {
    std::erase_if(waits_, [this](const auto& known) {
      const auto& members = watched_.last_members;
      return std::find(members.begin(), members.end(), known.first) == members.end();
    });
    for (const pid_t pid : watched_.last_members) {
      if (waits_.contains(pid)) continue;
      if (auto process = Process::open(pid))
        waits_.emplace(pid, std::make_unique<LockWaits>(std::move(*process)));
    }
  }
  watch_cgroup(false);
}

void Watcher::see_cgroup() {
  const std::lock_guard lock(mutex_);
  watch_cgroup(true);
}

/// The command may move to another cgroup as it starts: what counts is where it is.
void Watcher::watch_cgroup(bool at_exit) {
  const auto text = read_text(AT_FDCWD, fmt::format("/proc/{}/cgroup", root_).c_str());
  if (!text || *text == cgroup_text_) return;
  cgroup_text_ = *text;
  const auto cgroup = read_cgroup(root_);
  if (!cgroup) return;
  cgroup_directory_ = cgroup->directory;
  // Seen only when all is over, its count is held against what an earlier run left.
  oom_kills_before_ = at_exit ? kills_seen[cgroup_directory_] : cgroup->oom_kills;
}

void Watcher::sample_waits(double elapsed_seconds, bool refresh) {
  for (const auto& [pid, waits] : waits_) {
    const auto count = waits->sample(refresh);
    watched_.lock_wait_seconds += count.allocator * elapsed_seconds;
    watched_.futex_wait_seconds += count.other * elapsed_seconds;
    watched_.waits_measured = true;
  }
}

void Watcher::sample() {
  const std::uint64_t time_ns = now_ns();
  const bool refresh = time_ns >= members_due_ns_;
  members_work_ns_ = 0;
  if (refresh) {
    const std::uint64_t begin_ns = thread_cpu_ns();
    refresh_members();
    members_work_ns_ = thread_cpu_ns() - begin_ns;
    members_due_ns_ = time_ns + std::max(kMembersPeriod_ns, kRestPerWork * members_work_ns_);
  }
  RssPoint point{static_cast<double>(time_ns - begin_ns_) * 1e-9, 0, 0};
  Bytes largest_bytes = 0;
  for (const pid_t pid : watched_.last_members) {
    const Bytes rss_bytes = resident_bytes(pid);
    if (pid == root_) point.rss_bytes = rss_bytes;
    point.tree_rss_bytes += rss_bytes;
    if (rss_bytes < largest_bytes) continue;
    largest_bytes = rss_bytes;
    watched_.largest = pid;
  }
  const double elapsed_seconds = static_cast<double>(time_ns - last_ns_) * 1e-9;
  last_ns_ = time_ns;
  if (point.tree_rss_bytes == 0) return;  // it has ended
  watched_.peak_rss_bytes = std::max(watched_.peak_rss_bytes, point.rss_bytes);
  watched_.tree_peak_rss_bytes = std::max(watched_.tree_peak_rss_bytes, point.tree_rss_bytes);
  if (point.rss_bytes != 0) watched_.last_rss_bytes = point.rss_bytes;
  if (measuring_) {
    measured_seconds_ += elapsed_seconds;
    const double share = measured_seconds_ > 0 ? elapsed_seconds / measured_seconds_ : 1;
    watched_.mean_rss_bytes += share * (static_cast<double>(point.rss_bytes) - watched_.mean_rss_bytes);
    watched_.tree_mean_rss_bytes +=
        share * (static_cast<double>(point.tree_rss_bytes) - watched_.tree_mean_rss_bytes);
    if (options_.lock_waits) sample_waits(elapsed_seconds, refresh);
  }
  keep_point(point);
}

/// Evenly thinned where a run is long.
void Watcher::keep_point(const RssPoint& point) {
  if (watched_.samples++ % keep_every_ != 0) return;
  watched_.points.push_back(point);
  if (watched_.points.size() < kMostPoints) return;
  for (std::size_t i = 0; 2 * i < watched_.points.size(); ++i)
    watched_.points[i] = watched_.points[2 * i];
  watched_.points.resize((watched_.points.size() + 1) / 2);
  keep_every_ *= 2;
}

}  // namespace offheap::ab
