// SPDX-License-Identifier: Apache-2.0
#include "watch/incident_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "base/format.h"
#include "render/diff.h"
#include "render/page.h"
#include "render/sanitise.h"
#include "watch/incident.h"

namespace offheap {
namespace {

std::string bytes_text(const Json& object, const char* key) {
  const Json& value = member(object, key);
  if (!value.is_number_integer()) return "-";
  return format_bytes(static_cast<Bytes>(std::max<std::int64_t>(0, number_at(object, key))));
}

std::string container_word(const Json& incident) {
  const Json& container = member(incident, "container");
  std::string name = text_at(container, "name");
  if (!name.empty()) return name;
  const std::string id = text_at(container, "id");
  return id.empty() ? text_at(incident, "group") : id.substr(0, 12);
}

void add_head(const Json& incident, const std::string& id, Page& page) {
  const Json& victim = member(incident, "victim");
  page.line(page.bold(sanitise(fmt::format("incident {}", id))));
  const std::string group = text_at(incident, "group");
  page.wrapped("  container  ", container_word(incident) == group
                                    ? group
                                    : fmt::format("{} ({})", container_word(incident), group));
  page.wrapped("  limit      ",
               fmt::format("{}, highest usage seen {}", bytes_text(incident, "limit_bytes"),
                           bytes_text(incident, "usage_bytes")));
  std::string who = fmt::format("pid {} {}", number_at(victim, "pid"), text_at(victim, "name"));
  if (number_at(victim, "namespace_pid") > 0)
    who += fmt::format(", pid {} in its container", number_at(victim, "namespace_pid"));
  page.wrapped("  victim     ", fmt::format("{}; known by {}", who, text_at(victim, "known_by")));
  page.wrapped("  killed     ", utc_text(number_at(victim, "time_ns")) + " UTC");
  const Json& loop = member(incident, "loop");
  if (!loop.is_object()) return;
  const auto period = std::max<std::int64_t>(0, number_at(loop, "period_ns"));
  page.wrapped("  loop       ",
               fmt::format("{} kills since {} UTC, one each {}", number_at(loop, "kills"),
                           utc_text(number_at(incident, "time_ns")),
                           format_duration(static_cast<std::uint64_t>(period))));
}

void add_verdict(const Json& verdict, Page& page) {
  page.heading("VERDICT");
  std::string head = text_at(verdict, "kind");
  if (number_at(verdict, "bytes") > 0) head += "  " + bytes_text(verdict, "bytes");
  const Json& confidence = member(verdict, "confidence");
  if (confidence.is_number() && confidence.get<double>() > 0 && confidence.get<double>() <= 1)
    head += fmt::format("  confidence {:.0f} %", 100 * confidence.get<double>());
  page.line(page.red(sanitise(head)));
  page.wrapped("  why     ", text_at(verdict, "summary"));
  for (const Json& line : member(verdict, "evidence"))
    if (line.is_string()) page.wrapped("          ", line.get<std::string>());
  if (!text_at(verdict, "remedy").empty()) page.wrapped("  remedy  ", text_at(verdict, "remedy"));
  if (!text_at(verdict, "source").empty()) page.wrapped("  source  ", text_at(verdict, "source"));
}

void add_kernel(const Json& incident, Page& page) {
  page.heading("KERNEL");
  const Json& report = member(incident, "kernel_report");
  if (!report.is_object()) {
    const std::string why = text_at(incident, "kernel_report_missing");
    page.wrapped("  ", why.empty() ? "no report" : why);
    return;
  }
  auto kib = [&](const char* key) {
    const auto value = std::clamp<std::int64_t>(number_at(report, key), 0, std::int64_t{1} << 52);
    return format_bytes(static_cast<Bytes>(value) * 1024);
  };
  page.wrapped("  ",
               fmt::format("killed {} (pid {}): anonymous {}, files {}, shared {}; asked for by {}",
                           text_at(report, "name"), number_at(report, "pid"), kib("anon_rss_kb"),
                           kib("file_rss_kb"), kib("shmem_rss_kb"), text_at(report, "invoker")));
  if (number_at(report, "limit_kb") > 0)
    page.wrapped("  ",
                 fmt::format("limit of {}: usage {} of {}, failcnt {}", text_at(report, "oom_memcg"),
                             kib("usage_kb"), kib("limit_kb"), number_at(report, "failcnt")));
  const std::string cause = text_at(member(report, "cause"), "summary");
  if (!cause.empty()) page.wrapped("  ", cause);
}

void add_snapshots(const Json& incident, Page& page) {
  const Json& snapshots = member(incident, "snapshots");
  page.heading(fmt::format("SNAPSHOTS, {}", snapshots.size()));
  if (snapshots.empty()) page.line("  none: the limit was reached before one could be taken");
  for (const Json& snapshot : snapshots) {
    page.line(fmt::format("  {}  {:>3} %  usage {:>11}  {}", utc_text(number_at(snapshot, "time_ns")),
                          number_at(snapshot, "level_percent"), bytes_text(snapshot, "usage_bytes"),
                          sanitise(text_at(snapshot, "depth"))));
    for (const Json& process : member(snapshot, "processes")) {
      std::string verdict = text_at(process, "error");
      const Json& verdicts = member(member(process, "explanation"), "verdicts");
      if (verdicts.is_array() && !verdicts.empty())
        verdict = text_at(verdicts.front(), "kind") + " " + bytes_text(verdicts.front(), "bytes");
      page.line(fmt::format("      pid {:<8} {:<16} RSS {:>11}  {}", number_at(process, "pid"),
                            sanitise(text_at(process, "command"), 16), bytes_text(process, "rss_bytes"),
                            sanitise(verdict, 48)));
    }
  }
}

std::string frames_text(const Json& site) {
  constexpr std::size_t kFrames = 6;
  std::string text;
  std::size_t count = 0;
  for (const Json& frame : member(site, "frames")) {
    if (count++ == kFrames) break;
    text += (text.empty() ? "" : " < ") + text_at(frame, "function");
  }
  return text;
}

void add_sites(const Json& explanation, std::string_view of, Page& page) {
  constexpr std::size_t kShown = 5;
  const Json& sites = member(explanation, "sites");
  if (!sites.is_array() || sites.empty()) return;
  page.heading(fmt::format("SITES, {}", of));
  for (std::size_t i = 0; i < std::min(kShown, sites.size()); ++i)
    page.wrapped(fmt::format("  {:>11}  ", bytes_text(sites[i], "live_bytes")), frames_text(sites[i]));
}

void add_recording(const Json& incident, Page& page) {
  const Json& recording = member(incident, "recording");
  page.heading("RECORDING OF THE DEAD PROCESS");
  if (!recording.is_object()) {
    const std::string why = text_at(incident, "recording_missing");
    page.wrapped("  ", why.empty() ? "none" : why);
    return;
  }
  for (const Json& verdict : member(recording, "verdicts"))
    page.wrapped("  ", fmt::format("{} {}: {}", text_at(verdict, "kind"), bytes_text(verdict, "bytes"),
                                   text_at(verdict, "summary")));
  add_sites(recording, "at its death", page);
}

/// The latest explanation of the victim, or of the largest process beside it.
const Json& latest_explanation(const Json& incident) {
  static const Json none;
  const Json* found = &none;
  const auto pid = number_at(member(incident, "victim"), "pid");
  for (const Json& snapshot : member(incident, "snapshots")) {
    for (const Json& process : member(snapshot, "processes")) {
      const Json& explanation = member(process, "explanation");
      if (explanation.is_object() && (found->is_null() || number_at(process, "pid") == pid))
        found = &explanation;
    }
  }
  return *found;
}

void add_ledger(const Json& explanation, Page& page) {
  const Json& ledger = member(explanation, "ledger");
  if (!ledger.is_array() || ledger.empty()) return;
  page.heading(fmt::format("LEDGER, latest snapshot, RSS {}", bytes_text(explanation, "rss_bytes")));
  for (const Json& row : ledger)
    if (number_at(row, "rss_bytes") > 0)
      page.line(fmt::format("  {:<18}{:>11}", sanitise(text_at(row, "owner"), 18),
                            bytes_text(row, "rss_bytes")));
}

/// Made anew from the snapshots: the stored text of it may be anything.
std::string growth_text(const Json& incident, const TextOptions& options) {
  try {
    const Json growth = growth_of(incident);
    if (!growth.is_object()) return {};
    return "\nGROWTH between the first and the last of these snapshots\n" +
           render_diff_text(growth, options);
  } catch (const Json::exception&) {
    return "\nthe growth between these snapshots cannot be read: the file is damaged\n";
  }
}

void add_timeline(const Json& incident, Page& page) {
  constexpr std::size_t kColumns = 60;
  const Json& points = member(incident, "timeline");
  const auto limit = number_at(incident, "limit_bytes");
  if (!points.is_array() || points.size() < 2 || limit <= 0) return;
  std::string bars;
  const std::size_t step = (points.size() + kColumns - 1) / kColumns;
  for (std::size_t i = 0; i < points.size(); i += step) {
    const double share =
        static_cast<double>(number_at(points[i], "usage_bytes")) / static_cast<double>(limit);
    bars += " .:-=+*#%@"[static_cast<std::size_t>(std::clamp(share * 10, 0.0, 9.0))];
  }
  const auto span = number_at(points.back(), "time_ns") - number_at(points.front(), "time_ns");
  page.heading(
      fmt::format("USAGE over the last {}, from ' ' to '@' in tenths of the limit",
                  format_duration(static_cast<std::uint64_t>(std::max<std::int64_t>(0, span)))));
  page.line("  [" + bars + "]");
}

}  // namespace

std::string utc_text(std::int64_t realtime_ns) {
  const auto seconds = static_cast<std::time_t>(realtime_ns / 1'000'000'000);
  std::tm utc{};
  if (::gmtime_r(&seconds, &utc) == nullptr) return "-";
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

std::string render_incident_list(const std::vector<Json>& rows, std::uint64_t dropped,
                                 const TextOptions& options) {
  Page page(options.colour, kTextColumns);
  if (rows.empty()) {
    page.line("no incidents");
  } else {
    page.line(page.dim(fmt::format("{:<22} {:<18} {:>10} {:<15} {:<15} {:>9} {:>5}", "id, time in UTC",
                                   "container", "limit", "victim", "verdict", "bytes", "kills")));
  }
  for (const Json& row : rows) {
    const Json& victim = member(row, "victim");
    const Json& verdict = member(row, "verdict");
    page.line(fmt::format("{:<22} {:<18} {:>10} {:<15} {:<15} {:>9} {:>5}", text_at(row, "id"),
                          sanitise(container_word(row), 18), bytes_text(row, "limit_bytes"),
                          sanitise(text_at(victim, "name"), 15), sanitise(text_at(verdict, "kind"), 15),
                          bytes_text(verdict, "bytes"), number_at(row, "kill_count")));
  }
  if (dropped > 0) page.line(fmt::format("{} older files were dropped to stay within --disk", dropped));
  return page.take();
}

std::string render_incident(const Json& incident, const std::string& id, const TextOptions& options) {
  Page page(options.colour, kTextColumns);
  add_head(incident, id, page);
  add_verdict(member(incident, "verdict"), page);
  add_kernel(incident, page);
  add_timeline(incident, page);
  add_snapshots(incident, page);
  const Json& latest = latest_explanation(incident);
  add_ledger(latest, page);
  if (!member(incident, "recording").is_object()) add_sites(latest, "latest snapshot", page);
  std::string text = page.take() + growth_text(incident, options);
  add_recording(incident, page);
  for (const Json& note : member(incident, "notes"))
    if (note.is_string()) page.wrapped("note: ", note.get<std::string>());
  return text + page.take();
}

}  // namespace offheap
