// SPDX-License-Identifier: Apache-2.0
//
// A look that a test fills by hand, with the memory that its tables are in.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/findings.h"
#include "host/look.h"

namespace offheap::host {

class LookBuilder {
 public:
  explicit LookBuilder(std::size_t rows = 64) {
    look.tasks = Table<TaskRow>(arena_.array<TaskRow>(rows));
    look.groups = Table<GroupRow>(arena_.array<GroupRow>(rows));
    look.stuck = Table<StuckRow>(arena_.array<StuckRow>(rows));
    look.kills = Table<KillRow>(arena_.array<KillRow>(rows));
    look.host.cpus = 4;
    look.totals.processes = 1;
    look.host.uptime_s = 10'000;
    look.host.memory_total_bytes = offheap::Bytes{64} << 30;
    look.host.memory_available_bytes = offheap::Bytes{32} << 30;
    look.host.pid_max = 32768;
    look.host.threads = 500;
    GroupRow root;
    root.path = "/";
    look.groups.push(root);
  }

  /// A container with a limit, of which it uses that many percent.
  GroupRow& container(std::string_view name, unsigned percent) {
    GroupRow row;
    row.path = name;
    row.name = name;
    row.runtime = "docker";
    row.container_id = name;
    row.parent = 0;
    row.limit_bytes = offheap::Bytes{1000} << 20;
    row.usage_bytes = (offheap::Bytes{10} << 20) * percent;
    row.oom_kills = 0;
    return *look.groups.push(row);
  }

  /// Pids must rise.
  TaskRow& task(int pid, int parent, char state, std::string_view name = "worker") {
    TaskRow row;
    row.pid = pid;
    row.parent_pid = parent;
    row.state = state;
    row.threads = row.threads_before = 1;
    row.name = ShortText<15>(name);
    ++look.totals.processes;
    ++look.totals.threads;
    if (state == 'Z') ++look.totals.zombies;
    return *look.tasks.push(row);
  }

  void stuck(int pid, std::uint32_t group, std::string_view wait_channel) {
    StuckRow row;
    row.pid = row.tid = pid;
    row.group = group;
    row.wait_channel = ShortText<48>(wait_channel);
    look.stuck.push(row);
    ++look.totals.d_threads;
  }

  void kill(double time_s, std::uint32_t group, std::string_view name = "java") {
    KillRow row;
    row.time_s = time_s;
    row.pid = 4000;
    row.group = group;
    row.name = ShortText<15>(name);
    row.group_path = row.limit_path = ShortText<200>("/gone");
    look.kills.push(row);
  }

  /// Kinds of what is found, the worst first.
  [[nodiscard]] std::vector<std::string> kinds() const {
    std::vector<std::string> words;
    for (const auto& finding : find(look)) words.emplace_back(finding.kind);
    return words;
  }

  /// The first finding of a kind; one without a kind when there is none.
  [[nodiscard]] Finding finding(std::string_view kind) const {
    for (const auto& one : find(look))
      if (one.kind == kind) return one;
    return {};
  }

 private:
  std::unique_ptr<std::byte[]> block_{new std::byte[1 << 20]};
  Arena arena_{std::span(block_.get(), 1 << 20)};

 public:
  HostLook look;
};

}  // namespace offheap::host
