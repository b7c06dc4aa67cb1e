// SPDX-License-Identifier: Apache-2.0
#include "commands/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "apart/target_file.h"
#include "commands/gather.h"
#include "commands/progress.h"
#include "commands/target.h"
#include "container/group_memory.h"
#include "recording/reader.h"

namespace offheap {
namespace {

/// Nine looks give every window of a trend two; where a look costs the target a long pause, five do.
constexpr std::uint64_t kLooks = 9;
constexpr std::uint64_t kFewLooks = 5;
constexpr std::uint64_t kLongPause_ns = 50'000'000;

void sleep_until(std::uint64_t time_ns, std::uint64_t begin_ns, std::uint64_t end_ns,
                 const Process& process, Progress& progress) {
  constexpr std::uint64_t kStep_ns = 200'000'000;
  for (std::uint64_t now = monotonic_ns(); now < time_ns && !process.exited(); now = monotonic_ns()) {
    progress.update(now - begin_ns, end_ns - begin_ns);
    std::this_thread::sleep_for(std::chrono::nanoseconds(std::min(kStep_ns, time_ns - now)));
  }
}

/// One look, or several spread evenly over the watched time. With a recording the heap is read in the
/// first and the last look only: the recording counts in between without a pause.
Result<std::vector<Look>> take_looks(const Process& process, const ExplainOptions& options) {
  std::vector<Look> looks;
  LookOptions look_options;
  look_options.pause = options.pause;
  look_options.most_pause_ns = options.most_pause_ns;
  look_options.heap = options.heap;
  auto first = take_look(process, look_options);
  if (!first) return first.error();
  looks.push_back(std::move(*first));
  if (options.watch_ns == 0) return looks;
  const std::uint64_t begin_ns = looks.front().time_ns;
  const std::uint64_t end_ns = begin_ns + options.watch_ns;
  const bool slow = looks.front().heap && looks.front().heap->total_pause_ns > kLongPause_ns;
  const std::uint64_t intervals = (slow ? kFewLooks : kLooks) - 1;
  const bool recorded = looks.front().snapshot.has_value();
  Progress progress("watching");
  for (std::uint64_t i = 1; i <= intervals; ++i) {
    sleep_until(begin_ns + options.watch_ns / intervals * i, begin_ns, end_ns, process, progress);
    look_options.heap = !recorded || i == intervals;
    auto look = take_look(process, look_options);
    if (!look) return look.error();
    looks.push_back(std::move(*look));
  }
  return looks;
}

/// The cgroup's rules are for questions about it: it was named, or its first process, or it is full.
bool speaks_for_group(const ResolvedTarget& target, const Look& look) {
  if (target.whole_group) return true;
  for (const ProcessUse& process : look.group->processes)
    if (process.pid == target.pid && process.namespace_pid == 1) return true;
  const Cgroup& cgroup = *look.cgroup;
  if (!cgroup.container || !cgroup.limit_bytes) return false;
  const Bytes needed =
      cgroup.usage_bytes - std::min(cgroup.usage_bytes, look.group->bridge.file_unmapped_bytes);
  return static_cast<double>(needed) >= kNearLimitShare * static_cast<double>(*cgroup.limit_bytes);
}

void read_group(const ResolvedTarget& target, Look& look) {
  if (!look.cgroup) return;
  if (target.container) look.cgroup->container = target.container;
  look.group = read_group_memory(target.pid, *look.cgroup);
  look.group->target_pid = target.pid;
  look.group->speaks_for_group = speaks_for_group(target, look);
}

Result<Explanation> explain_process(const ResolvedTarget& target, const ExplainOptions& options,
                                    Look* evidence_look) {
  auto process = Process::open(target.pid);
  if (!process) return process.error();
  auto looks = take_looks(*process, options);
  if (!looks) return process->exited() ? process->exit_error() : looks.error();
  read_group(target, looks->back());
  if (!target.choice.empty()) looks->back().notes.insert(looks->back().notes.begin(), target.choice);
  GatherOptions gather;
  gather.site_limit = options.site_limit;
  gather.target = std::to_string(target.pid);
  const Descriptor root = root_of(*process);
  gather.root = path_of(root);
  TargetLine line = describe_target(*process, looks->back());
  if (target.container) line.container = target.container;
  Explanation explanation = explain_looks(std::move(line), *looks, gather);
  if (evidence_look) *evidence_look = std::move(looks->back());
  return explanation;
}

Result<Explanation> explain_recording(const std::string& path, const ExplainOptions& options) {
  const auto snapshot = read_recording_file(path);
  if (!snapshot) return snapshot.error();
  GatherOptions gather;
  gather.site_limit = options.site_limit;
  gather.target = path;
  return explain_snapshot(describe_recording(*snapshot), *snapshot, gather);
}

}  // namespace

Result<Explanation> explain_resolved(const ResolvedTarget& target, const ExplainOptions& options,
                                     Look* evidence_look) {
  if (target.pid == 0) return explain_recording(target.recording, options);
  return explain_process(target, options, evidence_look);
}

Result<Explanation> explain(const ExplainOptions& options, Look* evidence_look) {
  const auto target = resolve_target(options.target);
  if (!target) return target.error();
  return explain_resolved(*target, options, evidence_look);
}

}  // namespace offheap
