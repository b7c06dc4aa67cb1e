// SPDX-License-Identifier: Apache-2.0
//
// The loop: what wakes the agent, and when it looks. The groups that it follows are in watch_scan.cc,
// kills and jobs in watch_kills.cc.
#include "commands/watch_agent.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

#include "base/format.h"
#include "commands/look.h"
#include "commands/watch_log.h"
#include "commands/watch_look.h"
#include "container/group_memory.h"

namespace offheap {
namespace {

constexpr std::uint64_t kTick_ns = 250'000'000;  ///< while something is under way
constexpr std::uint64_t kOomTick_ns = 20'000'000;
/// A group that hovers at a level wakes us at each crossing; not more often than this.
constexpr std::uint64_t kEventPause_ns = 3'000'000;
constexpr std::uint64_t kLookDeadline_ns = 20'000'000'000;
constexpr std::size_t kMostJobs = 4;
constexpr std::size_t kLooksOfGroup = 2;

/// Three descriptors a group are more than the usual 1024.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// The largest processes first, by what they have for themselves.
std::vector<ProcessUse> read_processes(const std::vector<int>& pids) {
  constexpr std::size_t kMostRead = 512;
  constexpr std::size_t kMostKept = 32;
  std::vector<ProcessUse> uses;
  for (std::size_t i = 0; i < std::min(kMostRead, pids.size()); ++i)
    if (auto use = read_process_use(pids[i], false)) uses.push_back(std::move(*use));
  std::stable_sort(uses.begin(), uses.end(), [](const ProcessUse& a, const ProcessUse& b) {
    return a.own_bytes() > b.own_bytes();
  });
  uses.resize(std::min(kMostKept, uses.size()));
  return uses;
}

}  // namespace

Result<WatchAgent> WatchAgent::start(const WatchOptions& options) {
  auto hierarchy = find_memory_hierarchy();
  if (!hierarchy) return hierarchy.error();
  raise_file_limit();
  // A snapshot that waits its turn on a host in trouble comes too late. Without the right it waits.
  ::setpriority(PRIO_PROCESS, 0, -10);
  WatchAgent agent(options, std::move(*hierarchy));
  auto store = Store::open_for_agent(options.store, options.disk_bytes);
  if (store) {
    agent.store_ = std::move(*store);
    agent.state_ = agent.store_->read_state();
  } else if (store.error().code == ErrorCode::kUsage) {
    return store.error();
  } else {
    watch_log(fmt::format("{}: {}; nothing will be kept", store.error().where, store.error().what));
  }
  agent.boot_id_ = read_text(AT_FDCWD, "/proc/sys/kernel/random/boot_id").value_or("unknown\n");
  agent.boot_id_.pop_back();
  const auto now_us = static_cast<std::int64_t>(monotonic_ns() / 1000);
  // Kills of before the first start are not ours; those between two starts are.
  const bool first = agent.state_.boot_id.empty();
  if (agent.state_.boot_id != agent.boot_id_) agent.state_.handled_us = first ? now_us : -1;
  agent.state_.boot_id = agent.boot_id_;
  if (agent.store_) (void)agent.store_->write_state(agent.state_);
  agent.kernel_log_ = KernelLogFollower::open();
  if (!agent.kernel_log_.missing().empty()) watch_log(agent.kernel_log_.missing());
  if (!agent.open_events())
    return Error{ErrorCode::kUnreadable, "no descriptors for events", "epoll", "raise ulimit -n"};
  return agent;
}

bool WatchAgent::open_events() {
  epoll_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
  inotify_ = Descriptor(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  sigset_t ends;
  ::sigemptyset(&ends);
  ::sigaddset(&ends, SIGTERM);
  ::sigaddset(&ends, SIGINT);
  ::sigprocmask(SIG_BLOCK, &ends, nullptr);
  signals_ = Descriptor(::signalfd(-1, &ends, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!epoll_.valid() || !signals_.valid()) return false;
  add_source(signals_.get());
  add_source(inotify_.get());
  add_source(kernel_log_.fd());
  return true;
}

void WatchAgent::add_source(int fd, std::uint32_t events) {
  if (fd < 0) return;
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

int WatchAgent::run() {
  scan();
  kernel_log_.read();
  watch_log(fmt::format("following {} groups with a limit (cgroup v{}), store {}", groups_.size(),
                        hierarchy_.version, store_ ? options_.store : "none"));
  while (!ends_) {
    tick();
    const bool busy = !running_.empty() || !kills_.empty();
    const std::uint64_t now = monotonic_ns();
    std::uint64_t until = std::min(next_scan_ns_, next_sample_ns_);
    for (const Fresh& fresh : fresh_) until = std::min(until, fresh.read_ns);
    if (busy) until = std::min(until, now + kTick_ns);
    for (const auto& [path, group] : groups_)
      if (now < group->oom_until_ns) until = std::min(until, now + kOomTick_ns);
    wait(until);
  }
  watch_log("ended");
  return 0;
}

void WatchAgent::tick() {
  const std::uint64_t now = monotonic_ns();
  if (now >= next_scan_ns_) scan();
  read_fresh(now);
  if (now >= next_sample_ns_) {
    next_sample_ns_ = now + options_.interval_ns;
    for (const auto& [path, group] : groups_) sample(group);
  }
  leave_vanished();
  for (const auto& [path, group] : groups_)
    if (now < group->oom_until_ns) count_kills(*group);
  take_reports();
  take_counted_kills();
  for (const auto& running : running_) serve(*running);
  std::erase_if(running_, [](const auto& running) { return running->job.ended(); });
  start_wanted_looks();
  start_next_incident();
  forget_old();
}

void WatchAgent::wait(std::uint64_t until_ns) {
  if (monotonic_ns() < last_event_ns_ + kEventPause_ns)
    std::this_thread::sleep_for(std::chrono::nanoseconds(kEventPause_ns));
  const std::uint64_t now = monotonic_ns();
  const int timeout_ms = until_ns > now ? static_cast<int>((until_ns - now) / 1'000'000 + 1) : 0;
  epoll_event events[64];
  const int count = ::epoll_wait(epoll_.get(), events, 64, timeout_ms);
  for (int i = 0; i < count; ++i) on_event(events[i].data.fd);
}

void WatchAgent::on_event(int fd) {
  if (fd == signals_.get()) {
    ends_ = true;
  } else if (fd == inotify_.get()) {
    on_inotify();
  } else if (fd == kernel_log_.fd()) {
    kernel_log_.read();
    // A report is complete a second after its last line.
    next_sample_ns_ = std::min(next_sample_ns_, monotonic_ns() + 1'100'000'000);
  } else if (const auto found = by_fd_.find(fd); found != by_fd_.end()) {
    std::uint64_t count = 0;
    const auto group = found->second.lock();
    if (!group) return;
    last_event_ns_ = monotonic_ns();
    // The event comes before the kill, and the group may be removed right after it.
    if (fd == group->files.oom_event()) group->oom_until_ns = last_event_ns_ + 2'000'000'000;
    if (fd != group->files.pressure()) (void)!::read(fd, &count, sizeof count);
    sample(group);
    count_kills(*group);
  }
}

void WatchAgent::sample(const std::shared_ptr<Group>& group) {
  const auto usage = group->files.usage();
  if (!usage) {
    vanished_.push_back(group);
    return;
  }
  group->ring.add({realtime_ns(), *usage});
  if (group->policy.passed() > 0) count_kills(*group);
  group->highest_bytes = std::max(group->highest_bytes, *usage);
  if (const auto level = group->policy.observe(*usage, group->found.limit_bytes)) {
    group->wanted_level = level;
    group->wanted_usage_bytes = *usage;
  }
}

void WatchAgent::start_wanted_looks() {
  while (running_.size() < kMostJobs) {
    // The one that is nearest to its end comes first.
    std::shared_ptr<Group> next;
    for (const auto& [path, group] : groups_)
      if (group->wanted_level && group->looks < kLooksOfGroup &&
          (!next || *group->wanted_level > *next->wanted_level))
        next = group;
    if (!next) return;
    const unsigned level = *next->wanted_level;
    next->wanted_level.reset();
    start_look(next, level);
  }
}

void WatchAgent::start_look(const std::shared_ptr<Group>& group, unsigned level) {
  LookTask task;
  task.group = group->found.path;
  task.boot_id = boot_id_;
  task.limit_bytes = group->found.limit_bytes;
  task.level_percent = level;
  task.processes = read_processes(group->files.pids());
  task.to_explain = choose_processes(task.processes, task.limit_bytes);
  task.usage_bytes = std::max(group->wanted_usage_bytes, group->files.usage().value_or(0));
  task.time_ns = realtime_ns();
  task.pause = options_.pause;
  const auto left_ns = group->ring.time_to(task.limit_bytes);
  constexpr std::uint64_t kShort_ns = 400'000'000;
  task.heap = !left_ns || *left_ns > kShort_ns;
  watch_log(fmt::format("{}: {} % of {} passed, usage {}", group->found.path, level,
                        format_bytes(task.limit_bytes), format_bytes(task.usage_bytes)));
  for (const std::size_t i : task.to_explain) {
    const ProcessUse& use = task.processes[i];
    const bool known = std::any_of(group->held.begin(), group->held.end(), [&](const auto& held) {
      return held->use.pid == use.pid && held->use.start_ticks == use.start_ticks;
    });
    if (known) continue;
    if (auto held = hold_process(use))
      group->held.push_back(std::make_unique<HeldProcess>(std::move(*held)));
  }
  if (!store_) return;
  Store& store = *store_;
  auto job =
      Job::start([&task, &store](const JobAnswer& answer) { take_watch_snapshot(task, store, answer); },
                 monotonic_ns() + kLookDeadline_ns);
  if (!job) {
    watch_log(
        fmt::format("{}: no snapshot: {}: {}", group->found.path, job.error().where, job.error().what));
    return;
  }
  ++group->looks;
  running_.push_back(std::make_unique<Running>(Running{std::move(*job), group, -1}));
  add_source(running_.back()->job.socket());
}

}  // namespace offheap
