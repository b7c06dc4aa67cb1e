// SPDX-License-Identifier: Apache-2.0
//
// The options of `offheap watch`.
#include <fmt/format.h>

#include "commands/commands.h"
#include "commands/explain.h"
#include "commands/watch_agent.h"

namespace offheap {
namespace {

struct WatchAsked {
  std::string store = kDefaultStore;
  std::string disk = "500M";
  std::string containers;
  std::string at = "66,75,90";
  std::string interval = "1s";
  bool no_pause = false;
};

Result<int> do_watch(const WatchAsked& asked) {
  WatchOptions options;
  options.store = asked.store;
  options.containers = asked.containers;
  options.pause = !asked.no_pause;
  const auto disk = parse_bytes(asked.disk);
  constexpr Bytes kLeast = Bytes{1} << 20;
  if (!disk || *disk < kLeast)
    return Error{ErrorCode::kUsage, "no size for the store", asked.disk, "write 100M, 2G; 1M or more"};
  options.disk_bytes = *disk;
  const auto levels = parse_levels(asked.at);
  if (!levels) return levels.error();
  options.levels = *levels;
  const auto interval_ns = parse_duration_ns(asked.interval);
  constexpr std::uint64_t kShortest_ns = 50'000'000;
  constexpr std::uint64_t kLongest_ns = 60'000'000'000;
  if (!interval_ns || *interval_ns < kShortest_ns || *interval_ns > kLongest_ns)
    return Error{ErrorCode::kUsage, "no interval", asked.interval, "write 1s, 250ms; 50ms to 60s"};
  options.interval_ns = *interval_ns;
  auto agent = WatchAgent::start(options);
  if (!agent) return agent.error();
  return agent->run();
}

}  // namespace

void add_watch(Commands& commands) {
  static WatchAsked asked;
  auto* command = commands.add("watch", "Follow containers, keep evidence of those that are OOM-killed",
                               kRightsToKeep | right(CAP_SYS_NICE), [] { return do_watch(asked); });
  command->footer(
      "Runs until SIGTERM; one line an event on stderr. `offheap incidents` shows what it kept.\n"
      "Needs root, or CAP_SYS_PTRACE, CAP_SYSLOG and the right to read the processes; on the host or\n"
      "in a container with the host's pid namespace and /sys/fs/cgroup.");
  command->add_option("--store", asked.store, "the directory that evidence is kept in")
      ->capture_default_str();
  command->add_option("--disk", asked.disk, "the most that it may take; the oldest is dropped")
      ->capture_default_str();
  command->add_option("--containers", asked.containers,
                      "only those whose name, id or cgroup path fits this pattern: 'shop-*'");
  command->add_option("--at", asked.at, "percents of the limit at which to take a snapshot")
      ->capture_default_str();
  command->add_option("--interval", asked.interval, "how often usage is noted")->capture_default_str();
  command->add_flag("--no-pause", asked.no_pause,
                    "never stop a process: the heap's figures are then an estimate");
}

}  // namespace offheap
