// SPDX-License-Identifier: Apache-2.0
//
// `offheap explain`: a process, a container or a recording in, an Explanation out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "commands/look.h"
#include "container/resolve.h"
#include "render/explanation.h"

namespace offheap {

struct ExplainOptions {
  std::string target;          ///< whatever resolve_target() understands
  std::uint64_t watch_ns = 0;  ///< 0 = one look
  bool pause = true;
  std::uint64_t most_pause_ns = kMostPause_ns;
  bool heap = true;  ///< false: one quick look that leaves the heap alone
  std::size_t site_limit = 10;
};

/// Errors: as resolve_target(), take_look() and read_recording_file(). `evidence_look` (may be null)
/// receives the last look, for a snapshot's raw part.
Result<Explanation> explain(const ExplainOptions& options, Look* evidence_look);

/// The same for a target that was found already; `options.target` is not looked at.
Result<Explanation> explain_resolved(const ResolvedTarget& target, const ExplainOptions& options,
                                     Look* evidence_look);

/// "30s", "500ms", "2m", "1h", or seconds as a plain number.
std::optional<std::uint64_t> parse_duration_ns(std::string_view text);

/// "4096", "64K", "10M", "1.5G": bytes, binary units.
std::optional<Bytes> parse_bytes(std::string_view text);

/// The pid that `text` is; nothing when it is no number.
std::optional<int> parse_pid(std::string_view text);

}  // namespace offheap
