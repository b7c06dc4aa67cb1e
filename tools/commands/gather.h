// SPDX-License-Identifier: Apache-2.0
//
// From looks to evidence and from evidence to an explanation. No reading of the target happens here,
// but for the names of its symbols.
#pragma once

#include <optional>
#include <vector>

#include "commands/look.h"
#include "commands/site_names.h"
#include "ledger/malloc_totals.h"
#include "render/explanation.h"

namespace offheap {

struct GatherOptions {
  std::size_t site_limit = 10;
  std::string target;  ///< for commands in the output
  std::string root;    ///< where the target's files are: "/proc/PID/root" or ""
};

/// An embedded backend's heap, of whose ranges `rss_bytes` are resident; nothing for other backends, or
/// when the recording holds no statistics of it yet.
std::optional<MallocTotals> backend_totals(const Snapshot& snapshot, Bytes rss_bytes);

/// Explains a living target from one look or, with --for, several in order.
Explanation explain_looks(TargetLine target, const std::vector<Look>& looks,
                          const GatherOptions& options);

/// Explains a recording alone: no ledger, no heap, but counts, sites and the timeline.
Explanation explain_snapshot(TargetLine target, const Snapshot& snapshot, const GatherOptions& options);

}  // namespace offheap
