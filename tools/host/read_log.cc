// SPDX-License-Identifier: Apache-2.0
//
// The kernel's log of out-of-memory kills, from /dev/kmsg: never /proc/kmsg, whose readers wait and
// take the records away from others.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "host/kill_log.h"
#include "host/read.h"

namespace offheap::host {
namespace {

constexpr double kTimeToDie_s = 5;

/// Whether the victim's process is there still, and not another of its pid.
bool is_still_there(const HostLook& look, const KillRow& kill, double ticks_per_s) {
  const TaskRow* task = look.task(kill.pid);
  if (!task || look.host.uptime_s - kill.time_s < kTimeToDie_s) return false;
  return static_cast<double>(task->start_ticks) / ticks_per_s <= kill.time_s;
}

}  // namespace

void read_log(Reading& reading, const Deadline& deadline) {
  HostLook& look = reading.look;
  KillLog log(look.kills);
  bool whole = true;
  const int error =
      reading.files.each_record(reading.options.paths.log.c_str(), [&](std::string_view record) {
        log.feed(record);
        return whole = !deadline.passed();
      });
  if (error != 0) {
    const bool right = error == EPERM || error == EACCES;
    note(look,
         fmt::format("no kernel log: {}; kills are the counters' alone",
                     right ? "reading /dev/kmsg takes CAP_SYSLOG (root)" : "/dev/kmsg cannot be read"));
    return;
  }
  if (!whole) note(look, "kernel log: only its older part was read in the time there is");
  look.log_kills = log.count();
  std::sort(look.kills.rows().begin(), look.kills.rows().end(),
            [](const KillRow& a, const KillRow& b) { return a.time_s < b.time_s; });
  const auto ticks_per_s = static_cast<double>(::sysconf(_SC_CLK_TCK));
  for (KillRow& kill : look.kills.rows()) {
    kill.group = find_group(look, kill.group_path);
    kill.undead = is_still_there(look, kill, ticks_per_s);
  }
}

}  // namespace offheap::host
