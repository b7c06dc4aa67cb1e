// SPDX-License-Identifier: Apache-2.0
//
// The tables: containers at their limits, and tasks by what is wrong with them.
#include <fmt/format.h>

#include <algorithm>

#include "base/format.h"
#include "host/screen_parts.h"
#include "render/page.h"
#include "render/sanitise.h"

namespace offheap::host {
namespace {

std::string parts_cells(const GroupRow& row) {
  if (!row.parts_known) return "    -     -     -     -";
  const Bytes usage = std::max<Bytes>(1, row.usage_bytes.value_or(0));
  const auto share = [usage](Bytes bytes) {
    return fmt::format(
        "{:>4.0f}%", std::min(100.0, 100.0 * static_cast<double>(bytes) / static_cast<double>(usage)));
  };
  return share(row.anon_bytes) + " " + share(row.shmem_bytes) + " " + share(row.file_bytes) + " " +
         share(row.kernel_bytes);
}

/// Whose limit it was, beside the victim.
std::string limit_of(const KillRow& kill) {
  if (kill.limit_path.empty()) return "the host's";
  return kill.limit_path.view() == kill.group_path.view() ? "its own"
                                                          : sanitise(path_label(kill.limit_path), 28);
}

}  // namespace

Section limits_part(const HostLook& look, bool all) {
  Section section;
  const auto rows = order_groups(look, all);
  std::size_t limited = 0;
  for (const GroupRow& row : look.groups.rows())
    limited += row.path != "/" && (row.limit_bytes || !row.container_id.empty()) && !row.inner ? 1 : 0;
  if (rows.empty()) {
    section.lines.push_back(fmt::format(
        "LIMITS  none of {} cgroups with a limit or a container is above 80 % of it", limited));
    return section;
  }
  section.least = 4;
  section.lines.push_back(
      "LIMITS  container              usage/limit   failcnt oom_kill   D    Z threads  anon shmem  "
      "file   kern state");
  const std::size_t most = all ? kEverything : 10;
  for (std::size_t i = 0; i < std::min(rows.size(), most); ++i) {
    const GroupRow& row = *rows[i];
    const auto index = static_cast<std::uint32_t>(&row - look.groups.rows().data());
    const auto growth =
        static_cast<std::int64_t>(row.threads) - static_cast<std::int64_t>(row.threads_before);
    std::string state(row.state);
    if (row.restarts.value_or(0) > 0) state += fmt::format(" x{}", *row.restarts);
    if (row.exit_code.value_or(0) != 0) state += fmt::format(" {}", *row.exit_code);
    if (row.under_oom) state += row.oom_kill_disabled ? " hangs" : " under oom";
    if (growth != 0) state += fmt::format(" thr{:+}", growth);
    section.lines.push_back(fit(fmt::format(
        "        {} {:>6}/{:<6} {:>9} {:>8} {:>3} {:>4} {:>7} {} {}",
        padded(group_label(look, index), 20), short_bytes(row.usage_bytes.value_or(0)),
        row.limit_bytes ? short_bytes(*row.limit_bytes) : "-", or_dash(row.failcnt),
        or_dash(row.oom_kills), row.d_threads, row.zombies, row.threads, parts_cells(row), state)));
  }
  section.hidden = std::max(limited, rows.size()) - std::min(rows.size(), most);
  section.rows = "cgroups: --all";
  return section;
}

Section stuck_part(const HostLook& look, bool all) {
  Section section;
  section.least = 2;
  const auto groups = group_stuck(look);
  const std::size_t most = all ? kEverything : 4;
  for (std::size_t i = 0; i < std::min(groups.size(), most); ++i) {
    const StuckGroup& group = groups[i];
    const StuckRow& row = *group.first;
    std::string text = fmt::format(
        "{:>5} in D  {}  {}", group.count, padded(group_label(look, group.group), 20),
        group.wait_channel.empty() ? std::string_view("wait channel not read") : group.wait_channel);
    const std::string_view meaning = meaning_of(group.wait_channel);
    if (!meaning.empty()) text += fmt::format(": {}", meaning);
    text += fmt::format("  e.g. pid {} {}", row.pid, row.name.view());
    if (!row.stack.empty() && meaning.empty()) text += fmt::format(", {}", row.stack.view());
    section.lines.push_back(fit((i == 0 ? "STUCK " : "      ") + text));
  }
  section.hidden = groups.size() - std::min(groups.size(), most);
  section.rows = "places";
  return section;
}

Section zombies_part(const HostLook& look, bool all) {
  Section section;
  const auto groups = group_zombies(look);
  const std::size_t most = all ? kEverything : 3;
  for (std::size_t i = 0; i < std::min(groups.size(), most); ++i) {
    const ZombieGroup& group = groups[i];
    std::string text = fmt::format("{:>5} of parent {} {} ({})", group.count, group.parent_pid,
                                   group.parent ? group.parent->name.view() : "not seen",
                                   short_label(look, group.parent ? group.parent->group : group.group));
    if (group.parent)
      text += group.parent->state == 'D' ? ", itself in D"
                                         : fmt::format(", in state {}", group.parent->state);
    text += fmt::format("; the first is {}", group.name.view());
    section.lines.push_back(fit((i == 0 ? "ZOMBIES " : "        ") + text));
  }
  section.hidden = groups.size() - std::min(groups.size(), most);
  section.rows = "parents";
  return section;
}

Section threads_part(const HostLook& look, bool all) {
  Section section;
  const auto rows = most_threads(look, all ? 50 : 3);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const TaskRow& row = *rows[i];
    if (row.threads < 2) break;
    std::string text = fmt::format("{:>6} pid {} {} ({})", with_commas(row.threads), row.pid,
                                   row.name.view(), short_label(look, row.group));
    if (row.threads_before == 0)
      text += ", new";
    else if (row.threads != row.threads_before)
      text +=
          fmt::format(", {:+} since the first look", static_cast<std::int64_t>(row.threads) -
                                                         static_cast<std::int64_t>(row.threads_before));
    text += fmt::format(", {} resident", short_bytes(row.rss_bytes));
    section.lines.push_back(fit((i == 0 ? "THREADS " : "        ") + text));
  }
  return section;
}

/// The ancestors of the process that the first finding about a process is about, and its children.
/// Where the line is too short the outermost are left out.
Section tree_part(const HostLook& look, const std::vector<Finding>& findings) {
  Section section;
  const auto about = std::find_if(findings.begin(), findings.end(),
                                  [&](const Finding& f) { return f.pid > 0 && look.task(f.pid); });
  if (about == findings.end()) return section;
  std::uint64_t children = 0;
  std::uint64_t dead = 0;
  std::uint64_t stuck = 0;
  for (const TaskRow& task : look.tasks.rows()) {
    if (task.parent_pid != about->pid) continue;
    ++children;
    dead += task.state == 'Z' ? 1 : 0;
    stuck += task.state == 'D' ? 1 : 0;
  }
  std::string chain =
      children == 0 ? "" : fmt::format(" > {} children, {} Z, {} D", children, dead, stuck);
  const TaskRow* row = look.task(about->pid);
  for (int depth = 0; row && depth < 32; ++depth) {
    const std::string link = sanitise(fmt::format("{} {}", row->pid, row->name.view()));
    const std::string longer = fmt::format("{}{}{}", link, depth == 0 ? "" : " > ", chain);
    if (kLabelColumns + width_of(longer) + 6 > kScreenColumns) {
      chain.insert(0, "... > ");
      break;
    }
    chain = longer;
    row = look.task(row->parent_pid);
  }
  section.lines.push_back(fit("TREE    " + chain));
  return section;
}

Section kills_part(const HostLook& look, bool all) {
  Section section;
  const auto rows = look.kills.rows();
  const std::size_t most = std::min<std::size_t>(rows.size(), all ? kEverything : 3);
  for (std::size_t i = 0; i < most; ++i) {
    const KillRow& kill = rows[rows.size() - 1 - i];
    const std::string victim = kill.group == kNoGroup ? sanitise(path_label(kill.group_path), 28)
                                                      : short_label(look, kill.group);
    section.lines.push_back(
        fit(fmt::format("{} {:>6.0f} s ago  pid {} {} ({}), limit {}, anon {} file {} shmem {}{}",
                        i == 0 ? "KILLS  " : "       ", std::max(0.0, look.host.uptime_s - kill.time_s),
                        kill.pid, kill.name.view(), victim, limit_of(kill),
                        short_bytes(kill.anon_bytes), short_bytes(kill.file_bytes),
                        short_bytes(kill.shmem_bytes), kill.undead ? "; STILL THERE" : "")));
  }
  section.hidden = rows.size() - most;
  section.rows = "older";
  return section;
}

}  // namespace offheap::host
