// SPDX-License-Identifier: Apache-2.0
//
// --fail-on: which findings make the exit status 1, for scripts and CI gates.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "verdict/verdict.h"

namespace offheap {

struct FailLimit {
  std::optional<VerdictKind> kind;  ///< none: any cause, `healthy` and `undecided` apart
  Bytes bytes = 0;                  ///< a finding of at least that many
};

/// "leak", "leak:10M", "any:100M". Errors: kUsage with the list of kinds.
Result<std::vector<FailLimit>> parse_fail_on(const std::vector<std::string>& words);

bool exceeds(const std::vector<Verdict>& verdicts, const std::vector<FailLimit>& limits);

}  // namespace offheap
