// SPDX-License-Identifier: Apache-2.0
#include "host/read.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <ctime>

#include "host/parse.h"

namespace offheap::host {
namespace {

constexpr std::uint64_t kMillisecond_ns = 1'000'000;
constexpr std::size_t kMostNotes = 16;
constexpr std::size_t kMostStuck = 256;
constexpr std::size_t kMostKills = 512;

std::string_view host_file(Reading& reading, const char* name) {
  std::array<char, 256> path{};
  std::snprintf(path.data(), path.size(), "%s/%s", reading.options.paths.proc.c_str(), name);
  return reading.files.read(AT_FDCWD, path.data()).value_or(std::string_view());
}

/// Gives each table its share of the arena; the rest is for texts.
void lay_out(Arena& arena, HostLook& look) {
  const std::size_t room = arena.size() - std::min(arena.size(), arena.used());
  look.stuck =
      Table<StuckRow>(arena.array<StuckRow>(std::min(kMostStuck, room / 8 / sizeof(StuckRow))));
  look.kills = Table<KillRow>(arena.array<KillRow>(std::min(kMostKills, room / 8 / sizeof(KillRow))));
  look.groups = Table<GroupRow>(arena.array<GroupRow>(room / 5 / sizeof(GroupRow)));
  look.tasks = Table<TaskRow>(arena.array<TaskRow>(room / 2 / sizeof(TaskRow)));
}

template <typename Phase>
void timed(Reading& reading, std::string_view name, std::uint64_t budget_ms, Phase phase) {
  const std::uint64_t begin_ns = monotonic_ns();
  phase(reading, Deadline(budget_ms * kMillisecond_ns));
  reading.look.phases.push_back({name, monotonic_ns() - begin_ns});
}

void say_unread(Reading& reading) {
  const Unread& unread = reading.files.unread();
  HostLook& look = reading.look;
  if (unread.denied > 0)
    note(look, fmt::format("{} files may not be read by this user, the first is {}: run as root",
                           unread.denied, unread.first_denied.view()));
  if (unread.no_memory > 0)
    note(look, fmt::format("the kernel had no memory to open {} files", unread.no_memory));
  if (look.tasks.dropped() > 0)
    note(look,
         fmt::format("{} processes of least weight are in the totals only: no room for more than {}",
                     look.tasks.dropped(), look.tasks.size()));
  if (look.vanished_groups > 0)
    note(look,
         fmt::format(
             "{} went while this looked at them: their last figures are shown",
             look.vanished_groups == 1 ? "1 cgroup" : fmt::format("{} cgroups", look.vanished_groups)));
  if (look.groups.dropped() > 0)
    note(look, fmt::format("{} cgroups are left out: no room for more than {}", look.groups.dropped(),
                           look.groups.size()));
}

void wait_until(std::uint64_t end_ns) {
  const std::uint64_t now = monotonic_ns();
  if (now >= end_ns) return;
  timespec left{static_cast<time_t>((end_ns - now) / 1'000'000'000),
                static_cast<long>((end_ns - now) % 1'000'000'000)};
  ::nanosleep(&left, nullptr);  // a signal ends it: --watch is to end then
}

}  // namespace

std::uint64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

Deadline::Deadline(std::uint64_t ns) : end_ns_(monotonic_ns() + ns) {}
bool Deadline::passed() const { return monotonic_ns() >= end_ns_; }

void note(HostLook& look, std::string text) {
  if (look.notes.size() < kMostNotes) look.notes.push_back(std::move(text));
}

void read_host_files(Reading& reading) {
  HostFacts& host = reading.look.host;
  utsname names{};
  if (::uname(&names) == 0) {
    host.name = names.nodename;
    host.kernel = names.release;
  }
  host.cpus = static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  if (!parse_loadavg(host_file(reading, "loadavg"), host))
    note(reading.look, "no load: " + reading.options.paths.proc + "/loadavg cannot be read");
  std::string_view uptime = host_file(reading, "uptime");
  host.uptime_s = static_cast<double>(parse_count(uptime.substr(0, uptime.find('.'))).value_or(0));
  parse_meminfo(host_file(reading, "meminfo"), host);
  host.memory_pressure = parse_pressure(host_file(reading, "pressure/memory"));
  host.io_pressure = parse_pressure(host_file(reading, "pressure/io"));
  host.cpu_pressure = parse_pressure(host_file(reading, "pressure/cpu"));
  host.oom_kills = value_of(host_file(reading, "vmstat"), "oom_kill");
  host.pid_max = parse_count(host_file(reading, "sys/kernel/pid_max")).value_or(0);
  host.threads_max = parse_count(host_file(reading, "sys/kernel/threads-max")).value_or(0);
  host.overcommit = parse_count(host_file(reading, "sys/vm/overcommit_memory")).value_or(0);
  host.panic_on_oom = parse_count(host_file(reading, "sys/vm/panic_on_oom")).value_or(0);
  rlimit limit{};
  // Root is not held to it, having CAP_SYS_RESOURCE.
  if (::geteuid() != 0 && ::getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    host.process_limit = limit.rlim_cur;
}

HostLook read_host(const LookOptions& options, Arena& arena) {
  arena.reset();
  HostLook look;
  const std::uint64_t begin_ns = monotonic_ns();
  Reading reading{options, arena, Files(arena), look, {}, {}, begin_ns};
  lay_out(arena, look);
  look.phases.reserve(kMostNotes);
  look.notes.reserve(kMostNotes);
  timed(reading, "host", 100, [](Reading& r, const Deadline&) { read_host_files(r); });
  timed(reading, "cgroups", 300, read_groups);
  reading.first_look_ns = monotonic_ns();
  timed(reading, "tasks", 1000, read_tasks);
  timed(reading, "groups of tasks", 250, assign_groups);
  timed(reading, "threads", 150, read_threads);
  timed(reading, "stuck", 150, read_stuck);
  timed(reading, "names", 500, read_names);
  timed(reading, "log", 200, read_log);
  const std::uint64_t waited_ns = monotonic_ns();
  wait_until(reading.first_look_ns + options.between_looks_ns);
  look.phases.push_back({"waiting", monotonic_ns() - waited_ns});
  look.between_looks_ns = monotonic_ns() - reading.first_look_ns;
  timed(reading, "second look", 300, read_again);
  timed(reading, "parts", 100, read_group_parts);
  say_unread(reading);
  look.taken_ns = monotonic_ns() - begin_ns;
  look.taken_unix_s = ::time(nullptr);
  return look;
}

}  // namespace offheap::host
