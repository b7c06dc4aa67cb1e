// SPDX-License-Identifier: Apache-2.0
//
// A dead process by what it left: its recording's last timeline and arenas, and the kernel's report of
// its kill, joined by pid and start time.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "oomlog/summary.h"
#include "recording/snapshot.h"
#include "render/json.h"
#include "render/text.h"

namespace offheap {

struct KernelJoin {
  Json report = Json(nullptr);  ///< a kill of schema offheap.oom/1
  std::string how;              ///< "by pid and start time", or why there is none
};

/// The kill of `summary` that ended the recorded process: the same pid, killed after it started and
/// when the recording ends. A container's process knows itself by another pid than the kernel's log
/// does: then by name and time, if only one kill fits, which `how` says.
KernelJoin join_kernel_report(const Snapshot& snapshot, const OomSummary& summary);

/// The same with the log `path`, or /dev/kmsg where `path` is empty.
///
/// Errors: as read_log(). A /dev/kmsg that may not be read is no error: `how` says so.
Result<KernelJoin> find_kernel_report(const Snapshot& snapshot, const std::string& path);

/// One kill of one report in the form of schema offheap.oom/1. Null when there is no such victim.
Json kernel_report_json(const OomReport& report, std::size_t victim);

/// {"pid","command","timeline":[...],"arenas":[...],"last_time_ns","begins_late","allocated_bytes","freed_bytes"}:
/// what was published last.
Json recorded_json(const Snapshot& snapshot);

/// The same and the kernel's report, for people.
std::string recorded_text(const Snapshot& snapshot, const KernelJoin& join, const TextOptions& options);

}  // namespace offheap
