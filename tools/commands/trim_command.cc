// SPDX-License-Identifier: Apache-2.0
//
// The options of `offheap trim`, and how its report is printed.
#include <fmt/format.h>

#include "base/format.h"
#include "commands/commands.h"
#include "commands/explain.h"
#include "commands/trim.h"
#include "container/resolve.h"
#include "render/json.h"
#include "render/page.h"
#include "render/sanitise.h"
#include "render/text.h"

namespace offheap {
namespace {

struct TrimAsked {
  std::string target;
  std::string deadline = "60s";
  bool inject = false;
  bool json = false;
};

const char* name_of(TrimMeans means) {
  switch (means) {
    case TrimMeans::kAttach:
      return "attach";
    case TrimMeans::kShim:
      return "shim";
    case TrimMeans::kInject:
      return "inject";
  }
  return "";
}

Json trim_json(const TrimReport& report) {
  Json json{{"schema", "offheap.trim/1"}};
  json["target"] = {{"pid", report.pid}, {"command", report.command}};
  json["means"] = name_of(report.means);
  json["called"] = report.called;
  json["rss_before_bytes"] = report.rss_before_bytes;
  json["rss_after_bytes"] = report.rss_after_bytes;
  json["predicted_bytes"] = report.predicted_bytes ? Json(*report.predicted_bytes) : Json(nullptr);
  json["released_bytes"] = report.released_bytes;
  json["estimate"] = report.estimate;
  json["arenas"] = Json::array();
  for (const TrimmedArena& arena : report.arenas) {
    json["arenas"].push_back({{"index", arena.index},
                              {"rss_before_bytes", arena.rss_before_bytes},
                              {"rss_after_bytes", arena.rss_after_bytes},
                              {"predicted_bytes", arena.predicted_bytes},
                              {"released_bytes", arena.released_bytes}});
  }
  json["duration_ns"] = report.duration_ns;
  json["held_ns"] = report.held_ns;
  json["notes"] = report.notes;
  return json;
}

/// "812.0 KiB", and "-4.0 KiB" for what grew.
std::string format_signed(std::int64_t bytes) {
  return bytes < 0 ? "-" + format_bytes(static_cast<Bytes>(-bytes))
                   : format_bytes(static_cast<Bytes>(bytes));
}

void put_arenas(const TrimReport& report, Page& page) {
  if (report.arenas.empty()) return;
  constexpr std::size_t kShown = 20;
  page.heading("Arenas");
  page.line(fmt::format("  {:>5}  {:>12}  {:>12}  {:>12}  {:>12}", "arena", "before", "after",
                        "predicted", "given back"));
  std::size_t shown = 0;
  for (const TrimmedArena& arena : report.arenas) {
    if (arena.predicted_bytes == 0 && arena.released_bytes == 0) continue;
    if (++shown > kShown) break;
    page.line(fmt::format("  {:>5}  {:>12}  {:>12}  {:>12}  {:>12}", arena.index,
                          format_bytes(arena.rss_before_bytes), format_bytes(arena.rss_after_bytes),
                          format_bytes(arena.predicted_bytes), format_signed(arena.released_bytes)));
  }
  if (shown > kShown) page.line("  ... more with --json");
  if (shown == 0) page.line("  none had anything to give back");
}

std::string trim_text(const TrimReport& report) {
  Page page(colours_wanted(), kTextColumns);
  page.wrapped("", fmt::format("{} (pid {}): {}", report.command, report.pid, report.called));
  page.line(page.bold(fmt::format("  RSS         {} -> {}", format_bytes(report.rss_before_bytes),
                                  format_bytes(report.rss_after_bytes))));
  if (report.predicted_bytes)
    page.line(fmt::format("  predicted   {} ({} B{})", format_bytes(*report.predicted_bytes),
                          with_commas(*report.predicted_bytes),
                          report.estimate ? ", by the allocator's own statistics" : ""));
  page.line(
      fmt::format("  given back  {}{}", format_signed(report.released_bytes),
                  report.released_bytes > 0
                      ? fmt::format(" ({} B)", with_commas(static_cast<Bytes>(report.released_bytes)))
                      : ""));
  put_arenas(report, page);
  page.blank();
  page.wrapped(
      "  cost: ",
      fmt::format("the call took {:.1f} ms{}; while it ran, threads that allocated from the arena "
                  "in work waited, and pages that are used again must be faulted in again",
                  static_cast<double>(report.duration_ns) / 1e6,
                  report.held_ns == 0 ? std::string()
                                      : fmt::format(", one thread was borrowed for {:.1f} ms",
                                                    static_cast<double>(report.held_ns) / 1e6)));
  for (const std::string& note : report.notes) page.wrapped("  note: ", note);
  return page.take();
}

Result<int> do_trim(const TrimAsked& asked) {
  TrimOptions options;
  options.inject = asked.inject;
  const auto deadline_ns = parse_duration_ns(asked.deadline);
  if (!deadline_ns)
    return Error{ErrorCode::kUsage, "no duration", asked.deadline, "write 30s, 500ms or 2m"};
  options.deadline_ns = *deadline_ns;
  const auto target = resolve_process(asked.target);
  if (!target) return target.error();
  auto report = trim_process(target->pid, options);
  if (!report) return report.error();
  if (!target->choice.empty()) report->notes.push_back(target->choice);
  print(asked.json ? json_text(trim_json(*report)) : trim_text(*report));
  return 0;
}

}  // namespace

void add_trim(Commands& commands) {
  static TrimAsked asked;
  auto* command =
      commands.add("trim", "Ask the allocator to give free memory back: predicted against measured",
                   kAllRights, [] { return do_trim(asked); });
  command->footer(
      "A JVM is asked by its diagnostic command, a program under the shim through the shim.\n"
      "Any other program needs --inject: one of its waiting threads is borrowed for the call.\n"
      "Trimming holds each arena's lock while its free pages are given back, and pages that\n"
      "are used again must be faulted in again: memory now against time later.");
  command->add_option("target", asked.target, "a pid, a container or a cgroup")->required();
  command->add_flag("--inject", asked.inject,
                    "call malloc_trim in a process that was not prepared for it");
  command->add_option("--deadline", asked.deadline, "how long the call may take")
      ->capture_default_str();
  command->add_flag("--json", asked.json, "schema offheap.trim/1");
}

}  // namespace offheap
