// SPDX-License-Identifier: Apache-2.0
#include "commands/explain_all.h"

#include <fmt/format.h>

#include "base/format.h"
#include "container/group_memory.h"
#include "render/cgroup_text.h"
#include "render/page.h"
#include "render/sanitise.h"

namespace offheap {
namespace {

constexpr std::size_t kMostExplained = 256;
constexpr std::size_t kRowsShown = 40;

Result<GroupMemory> group_of(const ResolvedTarget& target, std::optional<Cgroup>& cgroup) {
  auto read = read_cgroup(target.pid);
  if (!read) return read.error();
  if (target.container) read->container = target.container;
  GroupMemory group = read_group_memory(target.pid, *read);
  cgroup = std::move(*read);
  return group;
}

ProcessExplanation explain_one(const ProcessUse& use, const ExplainOptions& options,
                               const std::optional<Container>& container) {
  ProcessExplanation one;
  one.use = use;
  ResolvedTarget target;
  target.pid = use.pid;
  target.container = container;
  auto explanation = explain_resolved(target, options, nullptr);
  if (explanation) {
    one.explanation = std::move(*explanation);
  } else {
    one.error = explanation.error().what;
  }
  return one;
}

std::string verdict_of(const ProcessExplanation& process) {
  if (!process.explanation) return process.error.empty() ? "not explained" : process.error;
  const Verdict& main = process.explanation->verdicts.front();
  std::string text(verdict_name(main.kind));
  if (main.bytes > 0) text += " " + format_bytes(main.bytes);
  return text;
}

void add_table(const AllExplained& all, Page& page) {
  page.heading(fmt::format("PROCESSES, {}", all.processes.size()));
  page.line(page.dim(fmt::format("  {:>8}  {:<16}{:>11}{:>11}{:>11}{:>11}{:>11}  {}", "pid", "command",
                                 "RSS", "PSS", "anonymous", "files", "shared", "verdict")));
  Bytes hidden = 0;
  for (std::size_t i = 0; i < all.processes.size(); ++i) {
    const ProcessUse& use = all.processes[i].use;
    if (i >= kRowsShown) {
      hidden += use.pss_bytes;
      continue;
    }
    page.line(fmt::format("  {:>8}  {:<16}{:>11}{:>11}{:>11}{:>11}{:>11}  {}", use.pid,
                          sanitise(use.command, 15), format_bytes(use.rss_bytes),
                          use.pss_known ? format_bytes(use.pss_bytes) : "-",
                          format_bytes(use.anon_bytes), format_bytes(use.file_bytes),
                          format_bytes(use.shmem_bytes), sanitise(verdict_of(all.processes[i]), 40)));
  }
  if (all.processes.size() > kRowsShown)
    page.line(
        fmt::format("  and {} more: {}", all.processes.size() - kRowsShown, format_bytes(hidden)));
}

}  // namespace

Result<AllExplained> explain_all(const ExplainOptions& options) {
  const auto target = resolve_process(options.target);
  if (!target) return target.error();
  AllExplained all;
  auto group = group_of(*target, all.cgroup);
  if (!group) return group.error();
  all.group = std::move(*group);
  all.container = all.cgroup->container;
  ExplainOptions each = options;
  for (const ProcessUse& use : all.group->processes) {
    if (all.processes.size() < kMostExplained) {
      all.processes.push_back(explain_one(use, each, all.container));
    } else {
      all.processes.push_back({use, {}, {}});
    }
    each.watch_ns = 0;  // they come largest first
  }
  return all;
}

Json to_json(const AllExplained& all) {
  Json json{{"schema", "offheap.explain-all/1"}};
  json["container"] = container_json(all.container);
  json["cgroup"] = cgroup_json(all.cgroup, all.group);
  json["processes"] = Json::array();
  for (const ProcessExplanation& process : all.processes) {
    Json row = process_use_json(process.use);
    row["explanation"] = process.explanation ? to_json(*process.explanation) : Json(nullptr);
    row["error"] = process.error.empty() ? Json(nullptr) : Json(process.error);
    json["processes"].push_back(std::move(row));
  }
  return json;
}

std::string render_text(const AllExplained& all, const TextOptions& options) {
  Page page(options.colour, kTextColumns);
  if (all.container) {
    page.line(page.bold("container " + sanitise(container_text(*all.container), 90)));
  } else if (all.cgroup) {
    page.line(page.bold("cgroup " + sanitise(all.cgroup->path, 90)));
  }
  add_table(all, page);
  add_cgroup_text(all.cgroup, all.group, page);
  std::string text = page.take();
  for (const ProcessExplanation& process : all.processes) {
    if (!process.explanation) continue;
    return text + "\nThe largest in full:\n\n" + render_text(*process.explanation, options);
  }
  return text;
}

}  // namespace offheap
