// SPDX-License-Identifier: Apache-2.0
#include "commands/dead_process.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/format.h"
#include "base/units.h"
#include "render/oom.h"
#include "render/page.h"
#include "render/sanitise.h"
#include "watch/incident.h"

namespace offheap {
namespace {

constexpr std::int64_t kTick_us = 1'000'000;

/// How far the kernel log's clock may be from CLOCK_MONOTONIC: it is not steered, so it drifts.
std::int64_t slack_us(std::int64_t clock_us) { return 2'000'000 + clock_us / 10'000; }

bool fits_in_time(const Snapshot& snapshot, std::int64_t kill_us) {
  const long ticks = std::max(1L, ::sysconf(_SC_CLK_TCK));
  const auto start_us = static_cast<std::int64_t>(snapshot.process_start_ticks) * kTick_us / ticks;
  const auto last_us = static_cast<std::int64_t>(snapshot.taken_time_ns / 1000);
  // A process that allocates says so at least this often.
  constexpr std::int64_t kQuiet_us = 120'000'000;
  const std::int64_t slack = slack_us(kill_us);
  return kill_us + slack >= start_us && kill_us + slack >= last_us &&
         kill_us - slack <= last_us + kQuiet_us;
}

std::string base_of_command(const Snapshot& snapshot) {
  const std::string first = snapshot.command.substr(0, snapshot.command.find(' '));
  constexpr std::size_t kCommLength = 15;
  return first.substr(first.rfind('/') + 1).substr(0, kCommLength);
}

const char* kind_word(RecordedArena::Kind kind) {
  switch (kind) {
    case RecordedArena::Kind::kMain:
      return "main";
    case RecordedArena::Kind::kMmappedChunks:
      return "mmapped";
    case RecordedArena::Kind::kUnnamed:
      return "unnamed";
    case RecordedArena::Kind::kSecondary:
      return "secondary";
  }
  return "";
}

void add_report(const KernelJoin& join, Page& page) {
  page.heading("KERNEL");
  page.wrapped("  ", join.how);
  if (!join.report.is_object()) return;
  page.wrapped(
      "  ",
      fmt::format("killed {} (pid {}) at kernel time {}: anonymous {}, shared {}",
                  text_at(join.report, "name"), number_at(join.report, "pid"),
                  text_at(join.report, "kernel_clock"),
                  format_bytes(static_cast<Bytes>(number_at(join.report, "anon_rss_kb")) * 1024),
                  format_bytes(static_cast<Bytes>(number_at(join.report, "shmem_rss_kb")) * 1024)));
  if (number_at(join.report, "limit_kb") > 0)
    page.wrapped(
        "  ", fmt::format("limit {} of {}",
                          format_bytes(static_cast<Bytes>(number_at(join.report, "limit_kb")) * 1024),
                          text_at(join.report, "oom_memcg")));
  page.wrapped("  ", text_at(member(join.report, "cause"), "summary"));
}

}  // namespace

Json kernel_report_json(const OomReport& report, std::size_t victim) {
  LogContents contents;
  contents.reports.push_back(report);
  const OomSummary summary = summarise({contents});
  for (std::size_t i = 0; i < summary.kills.size(); ++i) {
    if (summary.kills[i].victim != victim) continue;
    Json document = oom_json(summary, {});
    Json& kills = document["kills"];
    if (i < kills.size()) return kills[i];
  }
  return nullptr;
}

KernelJoin join_kernel_report(const Snapshot& snapshot, const OomSummary& summary) {
  std::vector<OomKill> named;
  for (const OomKill& kill : summary.kills) {
    const OomReport& report = summary.reports[kill.report];
    const OomVictim& victim = report.victims[kill.victim];
    const auto clock_us = victim.time.clock_us ? victim.time.clock_us : report.time.clock_us;
    if (!clock_us || !fits_in_time(snapshot, *clock_us)) continue;
    if (victim.pid && *victim.pid == static_cast<std::int64_t>(snapshot.pid))
      return {kernel_report_json(report, kill.victim), "the kernel's report, by pid and start time"};
    if (victim.name == base_of_command(snapshot)) named.push_back(kill);
  }
  if (named.size() == 1)
    return {kernel_report_json(summary.reports[named[0].report], named[0].victim),
            "the kernel's report, by name and time: in its container the process has another pid"};
  return {nullptr, named.empty() ? "the kernel's log has no kill of this process"
                                 : fmt::format("{} kills of the kernel's log could be of this process",
                                               named.size())};
}

Result<KernelJoin> find_kernel_report(const Snapshot& snapshot, const std::string& path) {
  auto contents = path.empty() ? read_kmsg() : read_log(path);
  if (!contents && !path.empty()) return contents.error();
  if (!contents)
    return KernelJoin{
        nullptr, fmt::format("the kernel's report is not readable: {}: {} ({})", contents.error().where,
                             contents.error().what, contents.error().remedy)};
  std::vector<LogContents> logs;
  logs.push_back(std::move(*contents));
  return join_kernel_report(snapshot, summarise(std::move(logs)));
}

Json recorded_json(const Snapshot& snapshot) {
  Json json{{"pid", snapshot.pid}, {"command", snapshot.command}};
  json["start_ticks"] = snapshot.process_start_ticks;
  json["last_time_ns"] = snapshot.taken_time_ns;
  json["begins_late"] = begins_late(snapshot);
  json["allocated_bytes"] = snapshot.allocated_bytes;
  json["freed_bytes"] = snapshot.freed_bytes;
  json["timeline"] = Json::array();
  for (const TimelinePoint& point : snapshot.timeline)
    json["timeline"].push_back({{"time_ns", point.time_ns},
                                {"live_bytes", minus(point.allocated_bytes, point.freed_bytes)},
                                {"rss_bytes", point.rss_bytes},
                                {"direct_mapped_bytes", point.direct_mapped_bytes}});
  json["arenas"] = Json::array();
  for (const RecordedArena& arena : snapshot.arenas)
    json["arenas"].push_back({{"address", arena.address},
                              {"kind", kind_word(arena.kind)},
                              {"allocated_bytes", arena.allocated_bytes},
                              {"freed_bytes", arena.freed_bytes},
                              {"threads", arena.threads}});
  return json;
}

std::string recorded_text(const Snapshot& snapshot, const KernelJoin& join,
                          const TextOptions& options) {
  constexpr std::size_t kPoints = 12;
  constexpr std::size_t kArenas = 8;
  Page page(options.colour, kTextColumns);
  if (!snapshot.timeline.empty()) page.heading("TIMELINE, as last published");
  const std::size_t skipped =
      snapshot.timeline.size() > kPoints ? snapshot.timeline.size() - kPoints : 0;
  for (std::size_t i = skipped; i < snapshot.timeline.size(); ++i) {
    const TimelinePoint& point = snapshot.timeline[i];
    page.line(fmt::format("  {:>9} before the end  live {:>11}  RSS {:>11}",
                          format_duration(minus(snapshot.taken_time_ns, point.time_ns)),
                          format_bytes(minus(point.allocated_bytes, point.freed_bytes)),
                          point.rss_bytes == 0 ? "-" : format_bytes(point.rss_bytes)));
  }
  std::vector<RecordedArena> arenas = snapshot.arenas;
  std::stable_sort(arenas.begin(), arenas.end(), [](const RecordedArena& a, const RecordedArena& b) {
    return minus(a.allocated_bytes, a.freed_bytes) > minus(b.allocated_bytes, b.freed_bytes);
  });
  if (!arenas.empty()) page.heading("ARENAS, as last published");
  for (std::size_t i = 0; i < std::min(kArenas, arenas.size()); ++i)
    page.line(fmt::format("  {:<10} {:>#14x}  live {:>11}  threads {}", kind_word(arenas[i].kind),
                          arenas[i].address,
                          format_bytes(minus(arenas[i].allocated_bytes, arenas[i].freed_bytes)),
                          arenas[i].threads.size()));
  add_report(join, page);
  return page.take();
}

}  // namespace offheap
