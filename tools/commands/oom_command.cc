// SPDX-License-Identifier: Apache-2.0
//
// The options of `offheap oom`; where names of containers and pods come from.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "commands/command_line.h"
#include "commands/commands.h"
#include "container/docker.h"
#include "oomlog/container.h"
#include "oomlog/reader.h"
#include "oomlog/summary.h"
#include "render/json.h"
#include "render/oom.h"

namespace offheap {
namespace {

struct OomAsked {
  std::vector<std::string> files;
  std::string container;
  std::string fail_on;
  std::size_t last = 10;
  bool kmsg = false;
  bool json = false;
};

/// Docker's names by id, and "namespace/pod" by uid from the names of /var/log/pods. Either may be
/// missing.
OomNames names_of_this_host(const OomSummary& summary) {
  OomNames names;
  bool containers = false;
  bool pods = false;
  for (const OomReport& report : summary.reports) {
    const GroupOwner owner = owner_of_group(report.task_memcg);
    containers = containers || owner.container.has_value();
    pods = pods || !owner.pod_uid.empty();
  }
  if (containers) {
    if (const auto entries = list_docker_containers())
      for (const DockerEntry& entry : *entries)
        if (!entry.names.empty()) names[entry.id] = entry.names.front();
  }
  if (!pods) return names;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/var/log/pods", ignored)) {
    // <namespace>_<pod>_<uid>
    const std::string name = entry.path().filename().string();
    const auto first = name.find('_');
    const auto last = name.rfind('_');
    if (first != last)
      names[name.substr(last + 1)] =
          name.substr(0, first) + "/" + name.substr(first + 1, last - first - 1);
  }
  return names;
}

bool is_of(const OomReport& report, const std::string& wanted, const OomNames& names) {
  const GroupOwner owner = owner_of_group(report.task_memcg);
  for (const std::string& key :
       {owner.container ? owner.container->id : std::string(), owner.pod_uid}) {
    if (key.empty()) continue;
    if (key.starts_with(wanted)) return true;
    const auto name = names.find(key);
    if (name != names.end() && (name->second == wanted || name->second.ends_with("/" + wanted)))
      return true;
  }
  return !report.task_memcg.empty() && report.task_memcg == wanted;
}

void keep_container(std::vector<LogContents>& logs, const std::string& wanted) {
  OomSummary all;
  for (const LogContents& log : logs)
    all.reports.insert(all.reports.end(), log.reports.begin(), log.reports.end());
  const OomNames names = names_of_this_host(all);
  for (LogContents& log : logs)
    std::erase_if(log.reports, [&](const OomReport& report) { return !is_of(report, wanted, names); });
}

Result<std::vector<LogContents>> read_all(const OomAsked& asked) {
  std::vector<LogContents> logs;
  std::vector<std::string> files = asked.files;
  if (files.empty() && !asked.kmsg) {
    if (::isatty(STDIN_FILENO) == 1)
      return Error{ErrorCode::kUsage, "no log was named", "",
                   "give files, - for standard input, or --kmsg for this machine's kernel log"};
    files.emplace_back("-");
  }
  if (asked.kmsg) {
    auto log = read_kmsg();
    if (!log) return log.error();
    logs.push_back(std::move(*log));
  }
  for (const std::string& file : files) {
    auto log = read_log(file);
    if (!log) return log.error();
    logs.push_back(std::move(*log));
  }
  return logs;
}

Result<int> do_oom(const OomAsked& asked) {
  if (!asked.fail_on.empty() && asked.fail_on != "kills" && asked.fail_on != "loops")
    return Error{ErrorCode::kUsage, "no such finding", asked.fail_on, "write kills or loops"};
  auto logs = read_all(asked);
  if (!logs) return logs.error();
  if (!asked.container.empty()) keep_container(*logs, asked.container);
  const OomSummary summary = summarise(std::move(*logs));
  const OomNames names = names_of_this_host(summary);
  print(asked.json ? json_text(oom_json(summary, names))
                   : oom_text(summary, names, colours_wanted(), asked.last));
  const bool found = (asked.fail_on == "kills" && !summary.kills.empty()) ||
                     (asked.fail_on == "loops" && !summary.loops.empty());
  return found ? kExitFinding : 0;
}

}  // namespace

void add_oom(Commands& commands) {
  static OomAsked asked;
  auto* command =
      commands.add("oom", "Kernel logs: who was killed for lack of memory, whose limit, and why",
                   kRightsToLook, [] { return do_oom(asked); });
  command->footer(
      "A log is dmesg in any time format, syslog, journalctl in any output format, a raw /dev/kmsg\n"
      "or a console's; gzip or not. Several are read as one: each kill counts once.");
  command->add_option("files", asked.files, "logs; - is standard input");
  command->add_flag("--kmsg", asked.kmsg, "this machine's kernel log, /dev/kmsg");
  command->add_option("--container", asked.container,
                      "only kills in this container or pod: name, id or cgroup path");
  command->add_option("--last", asked.last, "how many of the latest kills are told in full")
      ->capture_default_str();
  command->add_option("--fail-on", asked.fail_on, "kills or loops: exit status 1 when there are any");
  command->add_flag("--json", asked.json, "schema offheap.oom/1");
}

}  // namespace offheap
