// SPDX-License-Identifier: Apache-2.0
//
// Runs the rules, puts the main cause first, and says `healthy` or `undecided` when there is none.
#include <algorithm>
#include <array>

#include "base/format.h"
#include "verdict/rules.h"

namespace offheap {
namespace {

constexpr std::array<std::string_view, kVerdictKindCount> kNames = {"leak",
                                                                    "retention",
                                                                    "fragmentation",
                                                                    "thread-stacks",
                                                                    "mmap-growth",
                                                                    "mapped-files",
                                                                    "tmpfs",
                                                                    "huge-pages",
                                                                    "page-cache",
                                                                    "kernel-memory",
                                                                    "other-process",
                                                                    "limit-too-small",
                                                                    "unobserved-allocator",
                                                                    "java-heap",
                                                                    "java-metaspace",
                                                                    "java-code-cache",
                                                                    "direct-buffers",
                                                                    "healthy",
                                                                    "undecided"};

/// What grows will matter more; what the kernel can drop or -Xmx bounds
/// matters less; a limit that is too small is
/// only found when nothing else would help, and then it is the answer.
double weight(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::kLeak:
    case VerdictKind::kMmapGrowth:
      return 2;
    case VerdictKind::kMappedFiles:
    case VerdictKind::kJavaHeap:
    case VerdictKind::kPageCache:
      return 0.5;
    case VerdictKind::kLimitTooSmall:
      return 1e6;
    default:
      return 1;
  }
}

double score(const Verdict& verdict) {
  return weight(verdict.kind) * verdict.confidence * static_cast<double>(verdict.bytes);
}

bool can_exclude_growth(const Evidence& evidence, const Trend& live) {
  if (live.shape == Shape::kFlat || live.shape == Shape::kPlateau || live.shape == Shape::kFalling ||
      live.shape == Shape::kStep) {
    return true;
  }
  return live.shape == Shape::kTooShort && evidence.malloc &&
         evidence.malloc->obtained.live_bytes < kSmallLiveBytes;
}

bool knows_where_memory_is(const Evidence& evidence) {
  if (!evidence.rss_known) return true;
  const Bytes dark = evidence.ledger.rss_of(Owner::kUnknown) +
                     (evidence.malloc ? 0 : evidence.ledger.rss_of(Owner::kBackendRanges));
  return dark < std::max(finding_threshold(evidence), evidence.ledger.rss_bytes / 5);
}

Verdict make_healthy(const Evidence& evidence, const Trend& live) {
  Verdict verdict;
  verdict.kind = VerdictKind::kHealthy;
  verdict.confidence = live.shape == Shape::kTooShort ? 0.5 : 0.8;
  const Bytes needed = evidence.malloc ? evidence.malloc->obtained.live_bytes : 0;
  verdict.summary =
      fmt::format("nothing stands out: no cause holds {} or more; {} handed out by malloc",
                  format_bytes(finding_threshold(evidence)), format_bytes(needed));
  if (live.shape != Shape::kTooShort) {
    verdict.evidence.push_back(fmt::format("live bytes: {}", shape_name(live.shape)));
  }
  if (live.shape == Shape::kPlateau) {
    verdict.evidence.push_back(
        fmt::format("live bytes rose earlier and have kept between {} and {} above for {}: bounded, "
                    "what a cache or a "
                    "collector's cycle does",
                    format_bytes(live.floors_bytes[3]), format_bytes(live.spread_bytes),
                    format_duration(live.window_ns)));
  }
  verdict.remedy = "none needed";
  verdict.proof = look_longer(evidence);
  return verdict;
}

Verdict make_undecided(const Evidence& evidence, std::vector<Doubt> doubts) {
  if (doubts.empty()) {
    doubts.push_back({"what holds the memory cannot be told from outside", look_longer(evidence)});
  }
  std::stable_partition(doubts.begin(), doubts.end(),
                        [](const Doubt& doubt) { return doubt.holds_memory; });
  Verdict verdict;
  verdict.kind = VerdictKind::kUndecided;
  verdict.bytes = 0;
  verdict.confidence = 0;
  verdict.summary = doubts.front().why;
  for (std::size_t i = 1; i < doubts.size(); ++i) verdict.evidence.push_back(doubts[i].why);
  verdict.remedy = "run " + doubts.front().next;
  verdict.proof = doubts.front().next;
  return verdict;
}

void doubt_dark_memory(const Evidence& evidence, Findings& findings) {
  if (knows_where_memory_is(evidence)) return;
  const Bytes unknown = evidence.ledger.rss_of(Owner::kUnknown);
  const Bytes backend = evidence.ledger.rss_of(Owner::kBackendRanges);
  const std::string next =
      evidence.has_shim ? "offheap run --backend jemalloc -- CMD" : how_to_record(evidence);
  findings.doubts.push_back(
      {fmt::format("{} of RSS have no known owner and {} belong to an allocator that tells nothing",
                   format_bytes(unknown), format_bytes(backend)),
       next});
}

}  // namespace

std::string_view verdict_name(VerdictKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

std::optional<VerdictKind> verdict_by_name(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return {};
  return static_cast<VerdictKind>(found - kNames.begin());
}

Bytes finding_threshold(const Evidence& evidence) {
  const auto share = static_cast<Bytes>(kFindingShare * static_cast<double>(evidence.ledger.rss_bytes));
  return std::max(kFindingBytes, share);
}

std::vector<Verdict> judge(const Evidence& evidence) {
  Findings findings;
  const Trend live = classify(evidence.live_points);
  judge_leak(evidence, live, findings);
  judge_mmap_growth(evidence, findings);
  judge_retention(evidence, findings);
  judge_fragmentation(evidence, findings);
  doubt_stale_statistics(evidence, findings);
  judge_java_heap(evidence, findings);
  judge_java_metaspace(evidence, findings);
  judge_java_code_cache(evidence, findings);
  judge_direct_buffers(evidence, findings);
  drop_leaks_of_java(evidence, findings);
  judge_unobserved_allocator(evidence, findings);
  judge_thread_stacks(evidence, findings);
  judge_mapped_files(evidence, findings);
  judge_tmpfs(evidence, findings);
  judge_page_cache(evidence, findings);
  judge_kernel_memory(evidence, findings);
  judge_other_process(evidence, findings);
  judge_huge_pages(evidence, findings);
  judge_limit(evidence, findings);
  std::stable_sort(findings.verdicts.begin(), findings.verdicts.end(),
                   [](const Verdict& a, const Verdict& b) { return score(a) > score(b); });
  if (!findings.verdicts.empty()) return std::move(findings.verdicts);
  doubt_dark_memory(evidence, findings);
  const bool memory_in_doubt = std::any_of(findings.doubts.begin(), findings.doubts.end(),
                                           [](const Doubt& doubt) { return doubt.holds_memory; });
  if (!memory_in_doubt && can_exclude_growth(evidence, live) && knows_where_memory_is(evidence)) {
    return {make_healthy(evidence, live)};
  }
  return {make_undecided(evidence, std::move(findings.doubts))};
}

}  // namespace offheap
