// SPDX-License-Identifier: Apache-2.0
//
// `offheap explain --all`: every process of a container or cgroup, and what all of them are to its
// charge.
#pragma once

#include <string>
#include <vector>

#include "commands/explain.h"
#include "render/json.h"
#include "render/text.h"

namespace offheap {

struct ProcessExplanation {
  ProcessUse use;
  std::optional<Explanation> explanation;
  std::string error;  ///< why there is none: it exited, or may not be read
};

struct AllExplained {
  std::optional<Container> container;
  std::optional<Cgroup> cgroup;
  std::optional<GroupMemory> group;
  std::vector<ProcessExplanation> processes;  ///< largest RSS first
};

/// Explains each process of the group that the target names or is in; at most 256 are explained, the
/// largest, the others are listed. --for watches the largest only.
///
/// Errors: as resolve_process(); a process that cannot be explained is no error.
Result<AllExplained> explain_all(const ExplainOptions& options);

/// Schema "offheap.explain-all/1": its processes hold documents of offheap.explain/1.
Json to_json(const AllExplained& all);

/// One table, the group's charge, and the largest process in full.
std::string render_text(const AllExplained& all, const TextOptions& options);

}  // namespace offheap
