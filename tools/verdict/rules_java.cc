// SPDX-License-Identifier: Apache-2.0
//
// Causes inside a JVM: its heap, metaspace, code cache, direct buffers. They rest on HotSpot's own
// figures.
#include <algorithm>

#include "base/format.h"
#include "base/units.h"
#include "verdict/rules.h"

namespace offheap {
namespace {

/// How much the last point lies above the first; 0 without two.
Bytes rise_of(const std::vector<TrendPoint>& points) {
  return points.size() < 2 ? 0 : minus(points.back().value_bytes, points.front().value_bytes);
}

bool is_rising(const std::vector<TrendPoint>& points) {
  return classify(points).shape == Shape::kRising;
}

Bytes metaspace_rss(const Evidence& evidence) {
  return evidence.ledger.rss_of(Owner::kJavaMetaspace) + evidence.ledger.rss_of(Owner::kJavaClassSpace);
}

bool has_more_loaders(const JavaEvidence& java) {
  if (!java.classes_before || !java.classes_before->complete || !java.now.classes.complete)
    return false;
  const std::uint64_t before = java.classes_before->loader_count;
  return java.now.classes.loader_count > before + before / 8 + kMoreLoaders;
}

bool metaspace_grows(const JavaEvidence& java) {
  return rise_of(java.metaspace_points) >= kTrendNoiseBytes &&
         (has_more_loaders(java) || is_rising(java.metaspace_points));
}

bool direct_grows(const JavaEvidence& java) {
  return rise_of(java.direct_points) >= kTrendNoiseBytes && is_rising(java.direct_points);
}

/// Of a limit in bytes, "256m" as the JVM's options take it.
std::string option_size(Bytes bytes) { return fmt::format("{}m", (bytes + (1 << 20) - 1) >> 20); }

/// The heap fits the limit only if what is outside of it fits beside its maximum.
void add_limit_line(const Evidence& evidence, Verdict& verdict) {
  if (!evidence.cgroup || !evidence.cgroup->limit_bytes) return;
  const Bytes most = flag_number(evidence.java->now.flags, "MaxHeapSize", 0);
  const Bytes outside = minus(evidence.ledger.rss_bytes, evidence.ledger.rss_of(Owner::kJavaHeap));
  const Bytes limit = *evidence.cgroup->limit_bytes;
  if (most + outside <= limit || most == 0) return;
  verdict.evidence.push_back(fmt::format(
      "the heap may grow to {}; with {} outside of it that exceeds the limit of {} by {}: at most "
      "-Xmx{} fits",
      format_bytes(most), format_bytes(outside), format_bytes(limit),
      format_bytes(most + outside - limit), option_size(minus(limit, outside))));
}

std::string heap_return_remedy(const std::string& gc) {
  if (gc == "G1") return "-XX:G1PeriodicGCInterval=60000 lets an idle G1 give memory back";
  if (gc == "ZGC") return "-XX:SoftMaxHeapSize and -XX:ZUncommitDelay let ZGC give memory back";
  if (gc == "Shenandoah") return "-XX:ShenandoahUncommitDelay lets Shenandoah give memory back";
  return "-XX:MinHeapFreeRatio=10 -XX:MaxHeapFreeRatio=30 give memory back at the next full collection";
}

}  // namespace

void judge_java_heap(const Evidence& evidence, Findings& findings) {
  if (!evidence.java || !evidence.java->now.heap) return;
  const JavaHeap& heap = *evidence.java->now.heap;
  const Bytes bytes = evidence.ledger.rss_of(Owner::kJavaHeap);
  if (bytes < finding_threshold(evidence) || share_of_rss(evidence, bytes) < kJavaHeapShare) return;
  Verdict verdict;
  verdict.kind = VerdictKind::kJavaHeap;
  verdict.bytes = bytes;
  verdict.confidence = heap.used_bytes ? 0.8 : 0.6;
  verdict.summary = fmt::format("{} resident are the Java heap, {}: {}, of {} committed and at most {}",
                                format_bytes(bytes), percent_of_rss(evidence, bytes),
                                heap.used_bytes ? format_bytes(*heap.used_bytes) + " in use"
                                                : std::string("its use is not known"),
                                format_bytes(heap.committed_bytes), format_bytes(heap.reserved_bytes));
  add_limit_line(evidence, verdict);
  // A collector needs room to work in; what it has beyond half of what is in use is spare.
  const Bytes spare = heap.used_bytes ? minus(bytes, *heap.used_bytes + *heap.used_bytes / 2) : 0;
  if (spare >= finding_threshold(evidence)) {
    verdict.remedy = fmt::format("-Xmx{} is half more than what is in use; {}",
                                 option_size(*heap.used_bytes + *heap.used_bytes / 2),
                                 heap_return_remedy(evidence.java->now.gc));
    verdict.predicted_saving_bytes = spare;
  } else {
    verdict.remedy = fmt::format(
        "it is Java objects: jcmd {} GC.class_histogram says which; -Xmx bounds them", evidence.target);
  }
  verdict.proof = fmt::format("jcmd {} GC.heap_info", evidence.target);
  findings.verdicts.push_back(std::move(verdict));
}

void judge_java_metaspace(const Evidence& evidence, Findings& findings) {
  if (!evidence.java || !evidence.java->now.metaspace) return;
  const JavaEvidence& java = *evidence.java;
  const Bytes bytes = metaspace_rss(evidence);
  const bool grows = metaspace_grows(java);
  const bool large = share_of_rss(evidence, bytes) >= kJavaPartShare;
  if (bytes < finding_threshold(evidence) || (!grows && !large)) return;
  const ClassLoading& classes = java.now.classes;
  Verdict verdict;
  verdict.kind = VerdictKind::kJavaMetaspace;
  verdict.bytes = bytes;
  verdict.confidence = !grows ? 0.5 : has_more_loaders(java) ? 0.9 : 0.7;
  verdict.summary = fmt::format("{} of class metadata resident, {}", format_bytes(bytes),
                                percent_of_rss(evidence, bytes));
  if (classes.complete) {
    verdict.summary +=
        fmt::format(": {} classes of {} class loaders", classes.class_count, classes.loader_count);
  }
  if (grows) {
    verdict.evidence.push_back(
        fmt::format("grew by {} while watched", format_bytes(rise_of(java.metaspace_points))));
    verdict.predicted_saving_bytes = std::min(bytes, rise_of(java.metaspace_points));
  }
  if (has_more_loaders(java)) {
    verdict.evidence.push_back(fmt::format(
        "class loaders went from {} to {}, classes from {} to {}: loaders are made and kept",
        java.classes_before->loader_count, classes.loader_count, java.classes_before->class_count,
        classes.class_count));
  }
  verdict.remedy = fmt::format(
      "find who makes class loaders and keeps them: jcmd {} VM.classloader_stats; "
      "-XX:MaxMetaspaceSize={} "
      "turns unbounded growth into an error of the JVM's own",
      evidence.target, option_size(bytes + bytes / 2));
  verdict.proof = look_longer(evidence);
  findings.verdicts.push_back(std::move(verdict));
}

void judge_java_code_cache(const Evidence& evidence, Findings& findings) {
  if (!evidence.java || evidence.java->now.code_heaps.empty()) return;
  const JavaEvidence& java = *evidence.java;
  const Bytes bytes = evidence.ledger.rss_of(Owner::kJavaCodeCache);
  Bytes reserved = 0;
  Bytes used = 0;
  for (const CodeHeap& heap : java.now.code_heaps) {
    reserved += heap.reserved_bytes;
    used += heap.used_bytes;
  }
  const Bytes rise = rise_of(java.code_points);
  const bool grows = rise >= kCodeGrowthBytes;
  const bool full = static_cast<double>(used) >= kCodeFullShare * static_cast<double>(reserved);
  if (bytes < finding_threshold(evidence)) return;
  if (!grows && !full && share_of_rss(evidence, bytes) < kJavaPartShare) return;
  Verdict verdict;
  verdict.kind = VerdictKind::kJavaCodeCache;
  verdict.bytes = bytes;
  verdict.confidence = full ? 0.9 : grows ? 0.8 : 0.5;
  verdict.summary =
      fmt::format("{} of compiled code resident, {}: {} in use of {} reserved", format_bytes(bytes),
                  percent_of_rss(evidence, bytes), format_bytes(used), format_bytes(reserved));
  for (const CodeHeap& heap : java.now.code_heaps) {
    verdict.evidence.push_back(fmt::format("{}: {} in use of {}", heap.name,
                                           format_bytes(heap.used_bytes),
                                           format_bytes(heap.reserved_bytes)));
  }
  if (grows) verdict.evidence.push_back(fmt::format("grew by {} while watched", format_bytes(rise)));
  if (full) {
    verdict.remedy =
        fmt::format("it is nearly full, and compilation stops then: -XX:ReservedCodeCacheSize={}",
                    option_size(2 * reserved));
  } else {
    verdict.remedy = fmt::format(
        "-XX:ReservedCodeCacheSize={} bounds it to half; -XX:TieredStopAtLevel=1 "
        "makes less code, and slower",
        option_size(bytes / 2));
    verdict.predicted_saving_bytes = bytes / 2;
  }
  verdict.proof = fmt::format("jcmd {} Compiler.codecache", evidence.target);
  findings.verdicts.push_back(std::move(verdict));
}

void judge_direct_buffers(const Evidence& evidence, Findings& findings) {
  if (!evidence.java || !evidence.java->now.direct || !evidence.java->now.direct->reserved_bytes)
    return;
  const JavaEvidence& java = *evidence.java;
  const DirectMemory& direct = *java.now.direct;
  const Bytes bytes = *direct.reserved_bytes;
  const bool grows = direct_grows(java);
  const bool near_limit =
      static_cast<double>(bytes) >= kNearLimitShare * static_cast<double>(direct.limit_bytes);
  if (bytes < finding_threshold(evidence)) return;
  if (!grows && !near_limit && share_of_rss(evidence, bytes) < kDirectShare) return;
  Verdict verdict;
  verdict.kind = VerdictKind::kDirectBuffers;
  verdict.bytes = bytes;
  verdict.confidence = grows ? 0.95 : 0.8;
  verdict.summary = fmt::format(
      "{} in {} direct buffers by java.nio.Bits' own count, {}; the limit is {}", format_bytes(bytes),
      direct.count.value_or(0), percent_of_rss(evidence, bytes), format_bytes(direct.limit_bytes));
  const Bytes malloc_bytes =
      evidence.ledger.rss_of(Owner::kMallocArenas) + evidence.ledger.rss_of(Owner::kMallocMmapped);
  verdict.evidence.push_back(fmt::format(
      "they are blocks of malloc: part of the {} that the ledger counts under malloc, not on top of it",
      format_bytes(malloc_bytes)));
  if (grows) {
    verdict.evidence.push_back(
        fmt::format("grew by {} while watched", format_bytes(rise_of(java.direct_points))));
  }
  if (flag_number(java.now.flags, "MaxDirectMemorySize", 0) == 0)
    verdict.evidence.push_back("-XX:MaxDirectMemorySize is not set: the limit is that of the heap");
  verdict.remedy = fmt::format(
      "release or pool the buffers: a heap dump's java.nio.DirectByteBuffer objects say who holds "
      "them, and "
      "those that nobody holds are freed by `jcmd {} GC.run`; -XX:MaxDirectMemorySize={} bounds them "
      "to half",
      evidence.target, option_size(bytes / 2));
  verdict.predicted_saving_bytes = bytes / 2;
  verdict.proof = look_longer(evidence);
  findings.verdicts.push_back(std::move(verdict));
}

void drop_leaks_of_java(const Evidence& evidence, Findings& findings) {
  if (!evidence.java || !evidence.sites.empty()) return;
  const JavaEvidence& java = *evidence.java;
  Bytes explained = 0;
  if (metaspace_grows(java)) explained += rise_of(java.metaspace_points);
  if (direct_grows(java)) explained += rise_of(java.direct_points);
  if (explained == 0) return;
  const double needed = kMostOfGrowthShare * static_cast<double>(rise_of(evidence.live_points));
  if (static_cast<double>(explained) < needed) return;
  std::erase_if(findings.verdicts,
                [](const Verdict& verdict) { return verdict.kind == VerdictKind::kLeak; });
}

}  // namespace offheap
