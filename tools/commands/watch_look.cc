// SPDX-License-Identifier: Apache-2.0
#include "commands/watch_look.h"

#include <fmt/format.h>

#include <algorithm>

#include "apart/target_file.h"
#include "base/format.h"
#include "commands/explain.h"
#include "container/docker.h"
#include "recording/reader.h"
#include "render/cgroup_text.h"
#include "render/json.h"

namespace offheap {
namespace {

constexpr Bytes kPauseBytes = Bytes{2} << 30;  ///< a larger heap is read without a pause

/// The recording stays readable for as long as its descriptor is held, after the process and its
/// container are gone.
void send_recording(const ProcessUse& use, const JobAnswer& answer) {
  const auto process = Process::open(use.pid);
  if (!process || process->start_ticks() != use.start_ticks) return;
  const auto text = process->read("maps");
  const auto mappings = text ? parse_smaps(*text) : Result<std::vector<Mapping>>(text.error());
  const Mapping* recording = mappings ? find_recording(*mappings) : nullptr;
  if (!recording) return;
  const Descriptor file = open_mapped_file(*process, recording->range);
  if (file.valid()) answer.send(fmt::format("R{} {}", use.pid, recording->path), file.get());
}

bool waits_in_kernel(const ProcessUse& use) {
  const auto process = Process::open(use.pid);
  const auto times = process ? process->read_times() : Result<ProcessTimes>(process.error());
  return times && times->state == 'D';
}

Json figures_of(const ProcessUse& use) {
  Json row = process_use_json(use);
  row["start_ticks"] = use.start_ticks;
  row["namespace_pid"] = use.namespace_pid;
  row["explanation"] = nullptr;
  row["error"] = nullptr;
  return row;
}

void explain_into(const LookTask& task, const ProcessUse& use, bool whole_group,
                  const std::optional<Container>& container, Json& row) {
  // Whoever asks for the memory map of such a process may wait with it.
  if (waits_in_kernel(use)) {
    row["error"] = "not looked at: it waits in the kernel (state D)";
    return;
  }
  ResolvedTarget target;
  target.pid = use.pid;
  target.container = container;
  target.whole_group = whole_group;
  ExplainOptions options;
  options.pause = task.pause && use.anon_bytes <= kPauseBytes;
  options.heap = task.heap;
  options.site_limit = kKeptSites;
  Look look;
  auto explanation = explain_resolved(target, options, &look);
  if (!explanation) {
    row["error"] = explanation.error().what;
    return;
  }
  row["explanation"] = to_json(*explanation);
}

}  // namespace

std::vector<std::size_t> choose_processes(const std::vector<ProcessUse>& processes, Bytes limit_bytes) {
  constexpr std::size_t kMost = 3;
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < processes.size() && chosen.size() < kMost; ++i)
    if (i == 0 || processes[i].own_bytes() >= limit_bytes / 10) chosen.push_back(i);
  for (std::size_t i = 0; i < processes.size(); ++i) {
    const bool first = processes[i].namespace_pid == 1;
    if (first && std::find(chosen.begin(), chosen.end(), i) == chosen.end()) chosen.push_back(i);
  }
  return chosen;
}

void take_watch_snapshot(const LookTask& task, Store& store, const JobAnswer& answer) {
  const std::uint64_t begin_ns = monotonic_ns();
  for (const std::size_t i : task.to_explain) send_recording(task.processes[i], answer);
  auto container = container_of_path(task.group);
  Json document{{"schema", "offheap.watch-snapshot/1"}, {"time_ns", task.time_ns}};
  document["boot_id"] = task.boot_id;
  document["group"] = task.group;
  document["container"] = container_json(container);
  document["level_percent"] = task.level_percent;
  document["limit_bytes"] = task.limit_bytes;
  document["usage_bytes"] = task.usage_bytes;
  document["depth"] = "figures only";
  document["processes"] = Json::array();
  for (const ProcessUse& use : task.processes) document["processes"].push_back(figures_of(use));
  const auto name = entry_name(EntryKind::kSnapshot, task.time_ns, group_key(task.group));
  auto written = store.write(name, json_text(document));
  for (std::size_t k = 0; k < task.to_explain.size(); ++k) {
    const std::size_t i = task.to_explain[k];
    explain_into(task, task.processes[i], k == 0 || task.processes[i].namespace_pid == 1, container,
                 document["processes"][i]);
    document["depth"] = task.heap ? "full" : "without the heap: it grew too fast";
    document["took_ns"] = monotonic_ns() - begin_ns;
    written = store.write(name, json_text(document));
  }
  if (container) {  // a slow daemon must not cost the evidence
    ask_docker_about(*container);
    document["container"] = container_json(container);
    written = store.write(name, json_text(document));
  }
  if (!written) {
    answer.send(fmt::format("E{}: {}", written.error().where, written.error().what));
    return;
  }
  answer.send(fmt::format("D{} processes, {} explained in {}", task.processes.size(),
                          task.to_explain.size(), format_duration(monotonic_ns() - begin_ns)));
}

}  // namespace offheap
