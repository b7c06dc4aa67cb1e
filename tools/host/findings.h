// SPDX-License-Identifier: Apache-2.0
//
// What a look means: tasks and cgroups grouped as the screen shows them, and the findings, each a
// rule's answer with its numbers and what to do. Pure functions over a HostLook.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/look.h"

namespace offheap::host {

/// Threads in D that wait at the same place in the same container.
struct StuckGroup {
  std::string_view wait_channel;  ///< empty: not read
  std::uint32_t group = kNoGroup;
  std::uint64_t count = 0;
  const StuckRow* first = nullptr;
};
/// Most first. What StuckRows hold: not every D thread, where there are many.
std::vector<StuckGroup> group_stuck(const HostLook& look);

/// Zombies that the same parent has not waited for.
struct ZombieGroup {
  int parent_pid = 0;
  const TaskRow* parent = nullptr;  ///< null: not seen
  std::uint32_t group = kNoGroup;   ///< of the first of them
  ShortText<15> name;               ///< of the first of them
  std::uint64_t count = 0;
  std::uint64_t with_d_threads = 0;  ///< whose own threads are in D: not dead yet
};
std::vector<ZombieGroup> group_zombies(const HostLook& look);

/// Processes by threads, most first, at most `most`.
std::vector<const TaskRow*> most_threads(const HostLook& look, std::size_t most);

/// Cgroups with a limit, and containers, the most troubled first; those whose `worth_showing` fails
/// are left out unless `all`.
std::vector<const GroupRow*> order_groups(const HostLook& look, bool all);
bool worth_showing(const GroupRow& row);

/// What waiting there means, a clause; empty when it is not known.
std::string_view meaning_of(std::string_view wait_channel);

/// One limit that stops fork, with how close it is.
struct ForkLimit {
  std::string_view name;  ///< "kernel.pid_max"
  std::uint64_t used = 0;
  std::uint64_t limit = 0;
  bool bytes = false;
  std::uint32_t group = kNoGroup;  ///< whose limit; none = the host's
  std::uint64_t refused = 0;       ///< forks that it has refused already
  [[nodiscard]] double closeness() const {
    return limit == 0 ? 0 : static_cast<double>(used) / static_cast<double>(limit);
  }
};
/// All that apply here, the closest first.
std::vector<ForkLimit> fork_limits(const HostLook& look);

struct Finding {
  std::string_view kind;  ///< a word of the list in README.md
  double weight = 0;
  std::string headline;  ///< for the verdict line
  std::string text;      ///< with the numbers
  std::string next;      ///< what to do
  int pid = 0;           ///< the process that it is about, if it is about one
  std::uint32_t group = kNoGroup;
};
/// By weight; empty when nothing is wrong.
std::vector<Finding> find(const HostLook& look);

}  // namespace offheap::host
