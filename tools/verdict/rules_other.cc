// SPDX-License-Identifier: Apache-2.0
//
// Causes outside malloc: stacks, files, shared memory, huge pages, and a limit that is simply too low.
#include <algorithm>
#include <numeric>

#include "base/format.h"
#include "verdict/rules.h"

namespace offheap {
namespace {

void add_details(const Evidence& evidence, Owner owner, Verdict& verdict) {
  constexpr std::size_t kShown = 3;
  std::size_t shown = 0;
  for (const LedgerDetail& detail : evidence.ledger.details) {
    if (detail.owner != owner || detail.label.empty() || shown == kShown) continue;
    verdict.evidence.push_back(
        fmt::format("{}: {} resident", detail.label, format_bytes(detail.rss_bytes)));
    ++shown;
  }
}

/// What the cgroup cannot get rid of by dropping clean file pages.
Bytes working_set(const Cgroup& cgroup) {
  const Bytes droppable = cgroup.stat_of(cgroup.version == 1 ? "total_inactive_file" : "inactive_file");
  return cgroup.usage_bytes - std::min(cgroup.usage_bytes, droppable);
}

}  // namespace

void judge_thread_stacks(const Evidence& evidence, Findings& findings) {
  const Bytes all = evidence.ledger.rss_of(Owner::kThreadStacks);
  const Bytes huge = evidence.huge_zero_bytes[static_cast<std::size_t>(Owner::kThreadStacks)];
  const Bytes bytes = all - std::min(all, huge);
  if (bytes < finding_threshold(evidence)) return;
  const bool many = evidence.thread_count >= kManyThreads;
  if (!many && share_of_rss(evidence, bytes) < kManyStackShare) return;
  Verdict verdict;
  verdict.kind = VerdictKind::kThreadStacks;
  verdict.bytes = bytes;
  verdict.confidence = 0.9;
  const std::uint64_t threads = std::max<std::uint64_t>(evidence.thread_count, 1);
  verdict.summary =
      fmt::format("{} in the stacks of {} threads, {} each, {}", format_bytes(bytes), threads,
                  format_bytes(bytes / threads), percent_of_rss(evidence, bytes));
  const std::uint64_t before = evidence.thread_count_before;
  const bool growing = before > 0 && evidence.thread_count > before + before / 8 + 2;
  if (growing) {
    verdict.evidence.push_back(fmt::format("threads went from {} to {} while watched: a thread leak",
                                           before, evidence.thread_count));
  }
  add_details(evidence, Owner::kThreadStacks, verdict);
  verdict.predicted_saving_bytes = bytes / 2;
  verdict.remedy =
      growing
          ? "end threads that are no longer needed, or pool them"
          : "bound the thread pools (half the threads: half of it); -Xss or ulimit -s limit what is "
            "reserved, not what is resident; dead stacks: "
            "GLIBC_TUNABLES=glibc.pthread.stack_cache_size=0";
  verdict.proof = look_longer(evidence);
  findings.verdicts.push_back(std::move(verdict));
}

void judge_mapped_files(const Evidence& evidence, Findings& findings) {
  const Bytes bytes = evidence.ledger.rss_of(Owner::kFile);
  if (bytes < finding_threshold(evidence) || share_of_rss(evidence, bytes) < kMostOfRssShare) return;
  Verdict verdict;
  verdict.kind = VerdictKind::kMappedFiles;
  verdict.bytes = bytes;
  verdict.confidence = 0.9;
  verdict.summary =
      fmt::format("{} are pages of mapped files, {}: the kernel drops clean ones when it needs memory",
                  format_bytes(bytes), percent_of_rss(evidence, bytes));
  add_details(evidence, Owner::kFile, verdict);
  verdict.remedy =
      "none needed unless the pages are dirty; to keep them out of RSS: madvise(MADV_DONTNEED) after "
      "use, or read() instead of mmap()";
  verdict.predicted_saving_bytes = bytes;
  verdict.proof =
      fmt::format("grep -A20 FILE /proc/{}/smaps: Private_Dirty against Rss", evidence.target);
  findings.verdicts.push_back(std::move(verdict));
}

void judge_huge_pages(const Evidence& evidence, Findings& findings) {
  const Bytes bytes =
      std::accumulate(evidence.huge_zero_bytes.begin(), evidence.huge_zero_bytes.end(), Bytes{0});
  if (bytes < finding_threshold(evidence)) return;
  Verdict verdict;
  verdict.kind = VerdictKind::kHugePages;
  verdict.bytes = bytes;
  verdict.confidence = 0.8;
  verdict.summary = fmt::format(
      "{} lie in transparent huge pages whose 4 KiB parts hold only zeros: resident because a "
      "neighbour was touched",
      format_bytes(bytes));
  for (std::size_t i = 0; i < kOwnerCount; ++i) {
    if (evidence.huge_zero_bytes[i] == 0) continue;
    verdict.evidence.push_back(fmt::format("{}: {} of {} in huge pages are zeros",
                                           owner_name(static_cast<Owner>(i)),
                                           format_bytes(evidence.huge_zero_bytes[i]),
                                           format_bytes(evidence.ledger.owners[i].anon_huge_bytes)));
  }
  verdict.remedy =
      "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled, or prctl(PR_SET_THP_DISABLE) for "
      "this process; with glibc 2.35 and later see that glibc.malloc.hugetlb is 0";
  verdict.predicted_saving_bytes = bytes;
  verdict.proof = fmt::format("grep AnonHugePages /proc/{}/smaps_rollup, before and after a restart",
                              evidence.target);
  findings.verdicts.push_back(std::move(verdict));
}

void judge_limit(const Evidence& evidence, Findings& findings) {
  if (!evidence.cgroup || !evidence.cgroup->limit_bytes) return;
  const Cgroup& cgroup = *evidence.cgroup;
  const Bytes limit = *cgroup.limit_bytes;
  const Bytes working = working_set(cgroup);
  if (limit == 0 || static_cast<double>(working) < kNearLimitShare * static_cast<double>(limit)) return;
  Bytes savings = 0;
  for (const Verdict& verdict : findings.verdicts) savings += verdict.predicted_saving_bytes;
  if (static_cast<double>(savings) > kLimitSavingShare * static_cast<double>(limit)) return;
  Verdict verdict;
  verdict.kind = VerdictKind::kLimitTooSmall;
  verdict.bytes = working;
  verdict.confidence = cgroup.oom_kills > 0 || cgroup.failcnt > 0 ? 0.8 : 0.6;
  const Bytes wanted = working + working / 4;
  verdict.summary = fmt::format(
      "{} of the limit of {} cannot be reclaimed, and no cause found here would save more than {}",
      format_bytes(working), format_bytes(limit), format_bytes(savings));
  verdict.evidence.push_back(fmt::format("charge {}, charges that met the limit: {}, kills: {}",
                                         format_bytes(cgroup.usage_bytes), cgroup.failcnt,
                                         cgroup.oom_kills));
  verdict.remedy = fmt::format("raise the limit to about {}", format_bytes(wanted));
  verdict.proof = fmt::format("offheap explain {} under load: the charge stays below the new limit",
                              evidence.target);
  findings.verdicts.push_back(std::move(verdict));
}

}  // namespace offheap
