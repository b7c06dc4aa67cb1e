// SPDX-License-Identifier: Apache-2.0
//
// Causes in the container's charge that are in no RSS, or not in the target's: tmpfs files, page cache,
// kernel memory, other processes. Shares are of the charge, which is what the limit counts.
#include <algorithm>

#include "base/format.h"
#include "verdict/rules.h"

namespace offheap {
namespace {

double share_of(Bytes part, Bytes whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string percent(Bytes part, Bytes whole) {
  return fmt::format("{:.0f} %", 100 * share_of(part, whole));
}

bool is_large(Bytes bytes, double share, const Cgroup& cgroup) {
  return bytes >= kFindingBytes && share_of(bytes, cgroup.usage_bytes) >= share;
}

/// The group's figures, when the question is about the group.
const GroupMemory* group_of(const Evidence& evidence) {
  const bool asked = evidence.cgroup && evidence.group && evidence.group->speaks_for_group;
  return asked ? &*evidence.group : nullptr;
}

std::string limit_text(const Cgroup& cgroup) {
  return cgroup.limit_bytes ? "the limit of " + format_bytes(*cgroup.limit_bytes) : "no limit";
}

/// tmpfs files that nobody maps; 0 when they are no finding.
Bytes unmapped_shmem(const Evidence& evidence, Bytes mapped) {
  if (!evidence.cgroup || !evidence.cgroup->container) return 0;
  const Bytes shmem = evidence.cgroup->shmem_bytes();
  const Bytes unmapped =
      evidence.group ? evidence.group->bridge.shmem_unmapped_bytes : shmem - std::min(shmem, mapped);
  return is_large(unmapped, kTmpfsShare, *evidence.cgroup) ? unmapped : 0;
}

void add_tmpfs_details(const Evidence& evidence, Verdict& verdict) {
  constexpr std::size_t kShown = 3;
  std::size_t shown = 0;
  for (const LedgerDetail& detail : evidence.ledger.details) {
    if (detail.owner != Owner::kSharedMemory || detail.label.empty() || shown == kShown) continue;
    verdict.evidence.push_back(
        fmt::format("{}: {} resident", detail.label, format_bytes(detail.rss_bytes)));
    ++shown;
  }
  if (!evidence.group) return;
  const auto& mounts = evidence.group->tmpfs;
  for (std::size_t i = 0; i < std::min(kShown, mounts.size()); ++i) {
    std::string line = fmt::format("tmpfs {}: {}", mounts[i].mount, format_bytes(mounts[i].bytes));
    for (const NamedBytes& file : mounts[i].files)
      line += fmt::format(", {} {}", file.name, format_bytes(file.bytes));
    verdict.evidence.push_back(std::move(line));
  }
}

std::string tmpfs_summary(const Evidence& evidence, Bytes mapped, Bytes unmapped) {
  std::string text;
  if (mapped > 0) {
    text = fmt::format("{} shared memory mapped by the process, {} of RSS", format_bytes(mapped),
                       percent(mapped, evidence.ledger.rss_bytes));
  }
  if (unmapped > 0) {
    const Bytes usage = evidence.cgroup->usage_bytes;
    text += fmt::format(
        "{}{} in tmpfs files that nobody maps: {} of the container's charge of {}, and "
        "in no process's RSS",
        text.empty() ? "" : "; ", format_bytes(unmapped), percent(unmapped, usage),
        format_bytes(usage));
  }
  return text;
}

std::string largest_mount(const Evidence& evidence) {
  return evidence.group && !evidence.group->tmpfs.empty() ? evidence.group->tmpfs.front().mount
                                                          : "/dev/shm";
}

void add_descriptors(const GroupMemory& group, Verdict& verdict) {
  if (!group.descriptors) return;
  const DescriptorCounts& counts = *group.descriptors;
  verdict.evidence.push_back(fmt::format(
      "the processes hold {}{} sockets, {} pipes, {} open files and {} other descriptors",
      counts.complete ? "" : "at least ", counts.sockets, counts.pipes, counts.files, counts.others));
}

/// All of kernel memory by size, v2's socket buffers included.
std::vector<NamedBytes> kernel_parts(const Charge& charge) {
  std::vector<NamedBytes> parts = charge.kernel_parts;
  for (const NamedBytes& other : charge.others)
    if (other.name == "socket buffers") parts.push_back(other);
  std::stable_sort(parts.begin(), parts.end(),
                   [](const NamedBytes& a, const NamedBytes& b) { return a.bytes > b.bytes; });
  return parts;
}

std::string kernel_remedy(const std::string& part) {
  if (part == "kernel stacks")
    return "end threads that are not needed: each holds 16 KiB in the kernel";
  if (part == "page tables")
    return "map less address space sparsely, or use huge pages: a page table holds 4 KiB for each 2 "
           "MiB "
           "with a page in it";
  if (part.starts_with("dentries"))
    return "none needed: the kernel drops dentries and inodes when it needs memory; touch fewer files";
  if (part.starts_with("page tables of virtual")) return "give virtual machines huge pages";
  return "close sockets and pipes that are not needed, read what waits in them, and lower their "
         "buffers "
         "(SO_RCVBUF, SO_SNDBUF, F_SETPIPE_SZ); touch fewer files";
}

struct Others {
  Bytes own_bytes = 0;     ///< of the target
  Bytes others_bytes = 0;  ///< of all others
  std::vector<const ProcessUse*> largest;
};

/// Anonymous and shared memory, forked pages counted once where the kernel says how.
Bytes own_of(const ProcessUse& process) { return process.pss_anon_bytes + process.pss_shmem_bytes; }

Others others_of(const GroupMemory& group) {
  Others others;
  for (const ProcessUse& process : group.processes) {
    if (process.pid == group.target_pid) {
      others.own_bytes = own_of(process);
      continue;
    }
    others.others_bytes += own_of(process);
    others.largest.push_back(&process);
  }
  std::stable_sort(others.largest.begin(), others.largest.end(),
                   [](const ProcessUse* a, const ProcessUse* b) { return own_of(*a) > own_of(*b); });
  return others;
}

std::string name_of(const ProcessUse& process) {
  return fmt::format("pid {} {}", process.pid, process.command);
}

}  // namespace

void judge_tmpfs(const Evidence& evidence, Findings& findings) {
  const Bytes in_rss = evidence.ledger.rss_of(Owner::kSharedMemory);
  const bool by_rss = in_rss >= finding_threshold(evidence) &&
                      share_of(in_rss, evidence.ledger.rss_bytes) >= kTmpfsShare;
  const Bytes mapped = by_rss ? in_rss : 0;
  const Bytes unmapped = unmapped_shmem(evidence, in_rss);
  if (!by_rss && unmapped == 0) return;
  Verdict verdict;
  verdict.kind = VerdictKind::kTmpfs;
  verdict.bytes = mapped + unmapped;
  verdict.confidence = by_rss || evidence.group ? 0.9 : 0.7;
  verdict.summary = tmpfs_summary(evidence, mapped, unmapped);
  add_tmpfs_details(evidence, verdict);
  verdict.remedy =
      "delete or shrink what lies in /dev/shm and on tmpfs, or give the tmpfs a size limit: it counts "
      "against the container and cannot be dropped, only swapped";
  verdict.predicted_saving_bytes = verdict.bytes;
  verdict.proof = fmt::format("ls -la /proc/{}/root{}", evidence.target, largest_mount(evidence));
  findings.verdicts.push_back(std::move(verdict));
}

void judge_page_cache(const Evidence& evidence, Findings& findings) {
  const GroupMemory* group = group_of(evidence);
  if (!group) return;
  const Cgroup& cgroup = *evidence.cgroup;
  const Bytes bytes = std::min(group->bridge.file_unmapped_bytes, droppable_file_bytes(cgroup));
  if (!is_large(bytes, kPageCacheShare, cgroup)) return;
  Verdict verdict;
  verdict.kind = VerdictKind::kPageCache;
  verdict.bytes = bytes;
  verdict.confidence = 0.9;
  verdict.summary = fmt::format(
      "{} of the charge of {} ({}) are clean pages of files that were read or written, in no process's "
      "RSS: the kernel drops them before it kills, so they are no reason for a kill",
      format_bytes(bytes), format_bytes(cgroup.usage_bytes), percent(bytes, cgroup.usage_bytes));
  verdict.evidence.push_back(
      fmt::format("without them {} remain: {} anonymous, {} shared, {} kernel; {}",
                  format_bytes(cgroup.usage_bytes - std::min(bytes, cgroup.usage_bytes)),
                  format_bytes(group->charge.anon_bytes), format_bytes(group->charge.shmem_bytes),
                  format_bytes(group->charge.all_kernel_bytes()), limit_text(cgroup)));
  verdict.remedy =
      "none needed: judge the container by its charge without inactive files (the working set); where "
      "the cache itself is in the way, read and write with O_DIRECT or posix_fadvise(DONTNEED)";
  verdict.predicted_saving_bytes = bytes;
  verdict.proof =
      cgroup.version == 1
          ? fmt::format("echo 0 > {}/memory.force_empty: the charge falls by it", cgroup.directory)
          : fmt::format("echo {} > {}/memory.reclaim: the charge falls by it", bytes, cgroup.directory);
  findings.verdicts.push_back(std::move(verdict));
}

void judge_kernel_memory(const Evidence& evidence, Findings& findings) {
  const GroupMemory* group = group_of(evidence);
  if (!group) return;
  const Cgroup& cgroup = *evidence.cgroup;
  const Bytes bytes = group->charge.all_kernel_bytes();
  if (!is_large(bytes, kKernelShare, cgroup)) return;
  const auto parts = kernel_parts(group->charge);
  Verdict verdict;
  verdict.kind = VerdictKind::kKernelMemory;
  verdict.bytes = bytes;
  verdict.confidence = 0.9;
  verdict.summary = fmt::format(
      "{} of the charge of {} ({}) are kernel memory, in no process's RSS; the largest part is {}: {}",
      format_bytes(bytes), format_bytes(cgroup.usage_bytes), percent(bytes, cgroup.usage_bytes),
      parts.front().name, format_bytes(parts.front().bytes));
  for (const NamedBytes& part : parts)
    if (part.bytes > 0)
      verdict.evidence.push_back(fmt::format("{}: {}", part.name, format_bytes(part.bytes)));
  add_descriptors(*group, verdict);
  verdict.remedy = kernel_remedy(parts.front().name);
  verdict.predicted_saving_bytes = parts.front().bytes;
  verdict.proof =
      cgroup.version == 1
          ? fmt::format("cat {}/memory.kmem.usage_in_bytes, before and after", cgroup.directory)
          : fmt::format("grep -E 'kernel|sock|slab' {}/memory.stat, before and after",
                        cgroup.directory);
  findings.verdicts.push_back(std::move(verdict));
}

void judge_other_process(const Evidence& evidence, Findings& findings) {
  const GroupMemory* group = group_of(evidence);
  if (!group || group->target_pid == 0) return;
  const Others others = others_of(*group);
  const Cgroup& cgroup = *evidence.cgroup;
  if (others.others_bytes <= others.own_bytes) return;
  if (!is_large(others.others_bytes, kOtherProcessShare, cgroup)) return;
  Verdict verdict;
  verdict.kind = VerdictKind::kOtherProcess;
  verdict.bytes = others.others_bytes;
  verdict.confidence = 0.9;
  verdict.summary = fmt::format(
      "other processes of the same cgroup hold {} of anonymous and shared memory, this one {}; charge "
      "{}, {}; the largest is {} with {}",
      format_bytes(others.others_bytes), format_bytes(others.own_bytes),
      format_bytes(cgroup.usage_bytes), limit_text(cgroup), name_of(*others.largest.front()),
      format_bytes(own_of(*others.largest.front())));
  constexpr std::size_t kShown = 5;
  for (std::size_t i = 0; i < std::min(kShown, others.largest.size()); ++i) {
    verdict.evidence.push_back(fmt::format("{}: {}, RSS {}", name_of(*others.largest[i]),
                                           format_bytes(own_of(*others.largest[i])),
                                           format_bytes(others.largest[i]->rss_bytes)));
  }
  const int pid = others.largest.front()->pid;
  verdict.remedy = fmt::format("explain that process: offheap explain {}", pid);
  verdict.predicted_saving_bytes = own_of(*others.largest.front());
  verdict.proof = fmt::format("offheap explain {} --all", evidence.target);
  findings.verdicts.push_back(std::move(verdict));
}

}  // namespace offheap
