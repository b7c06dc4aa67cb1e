// SPDX-License-Identifier: Apache-2.0
#include "commands/fail_on.h"

#include <algorithm>

#include "commands/explain.h"

namespace offheap {
namespace {

Error unknown_limit(const std::string& word) {
  std::string kinds = "any";
  for (std::size_t i = 0; i < kVerdictKindCount; ++i) {
    kinds += ", " + std::string(verdict_name(static_cast<VerdictKind>(i)));
  }
  return Error{ErrorCode::kUsage, "no verdict of that name or size", word,
               "write kind or kind:bytes; kinds: " + kinds};
}

bool is_cause(VerdictKind kind) {
  return kind != VerdictKind::kHealthy && kind != VerdictKind::kUndecided;
}

}  // namespace

Result<std::vector<FailLimit>> parse_fail_on(const std::vector<std::string>& words) {
  std::vector<FailLimit> limits;
  for (const std::string& word : words) {
    FailLimit limit;
    const auto colon = word.find(':');
    const std::string kind = word.substr(0, colon);
    if (kind != "any") {
      limit.kind = verdict_by_name(kind);
      if (!limit.kind) return unknown_limit(word);
    }
    if (colon != std::string::npos) {
      const auto bytes = parse_bytes(std::string_view(word).substr(colon + 1));
      if (!bytes) return unknown_limit(word);
      limit.bytes = *bytes;
    }
    limits.push_back(limit);
  }
  return limits;
}

bool exceeds(const std::vector<Verdict>& verdicts, const std::vector<FailLimit>& limits) {
  return std::any_of(limits.begin(), limits.end(), [&](const FailLimit& limit) {
    return std::any_of(verdicts.begin(), verdicts.end(), [&](const Verdict& verdict) {
      const bool chosen = limit.kind ? verdict.kind == *limit.kind : is_cause(verdict.kind);
      return chosen && verdict.bytes >= limit.bytes;
    });
  });
}

}  // namespace offheap
