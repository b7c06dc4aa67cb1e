// SPDX-License-Identifier: Apache-2.0
#include "commands/explain.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "commands/gather.h"
#include "commands/progress.h"
#include "commands/target.h"
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
  auto first = take_look(process, {options.pause, true});
  if (!first) return first.error();
  looks.push_back(std::move(*first));
  if (options.watch_ns == 0) return looks;
  const std::uint64_t begin_ns = looks.front().time_ns;
  const std::uint64_t end_ns = begin_ns + options.watch_ns;
  const bool slow = looks.front().heap && looks.front().heap->pause_ns > kLongPause_ns;
  const std::uint64_t intervals = (slow ? kFewLooks : kLooks) - 1;
  const bool recorded = looks.front().snapshot.has_value();
  Progress progress("watching");
  for (std::uint64_t i = 1; i <= intervals; ++i) {
    sleep_until(begin_ns + options.watch_ns / intervals * i, begin_ns, end_ns, process, progress);
    auto look = take_look(process, {options.pause, !recorded || i == intervals});
    if (!look) return look.error();
    looks.push_back(std::move(*look));
  }
  return looks;
}

Result<Explanation> explain_process(int pid, const ExplainOptions& options, Look* evidence_look) {
  auto process = Process::open(pid);
  if (!process) return process.error();
  auto looks = take_looks(*process, options);
  if (!looks) return process->exited() ? process->exit_error() : looks.error();
  GatherOptions gather;
  gather.site_limit = options.site_limit;
  gather.target = std::to_string(pid);
  gather.root = fmt::format("/proc/{}/root", pid);
  Explanation explanation = explain_looks(describe_target(*process, looks->back()), *looks, gather);
  if (evidence_look) *evidence_look = std::move(looks->back());
  return explanation;
}

Result<Explanation> explain_recording(const ExplainOptions& options) {
  const auto snapshot = read_recording_file(options.target);
  if (!snapshot) return snapshot.error();
  GatherOptions gather;
  gather.site_limit = options.site_limit;
  gather.target = options.target;
  return explain_snapshot(describe_recording(*snapshot), *snapshot, gather);
}

}  // namespace

Result<Explanation> explain(const ExplainOptions& options, Look* evidence_look) {
  if (const auto pid = parse_pid(options.target)) return explain_process(*pid, options, evidence_look);
  std::error_code problem;
  if (!std::filesystem::exists(options.target, problem)) {
    return Error{ErrorCode::kUsage, "neither a pid nor a recording", options.target,
                 "give a process id, or a *.offheap file of OFFHEAP_RECORD"};
  }
  if (std::filesystem::is_directory(options.target, problem)) {
    return Error{ErrorCode::kUsage, "this is a directory", options.target,
                 "name one *.offheap file in it"};
  }
  return explain_recording(options);
}

}  // namespace offheap
