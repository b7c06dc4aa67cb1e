// SPDX-License-Identifier: Apache-2.0
#include "commands/java_evidence.h"

#include <numeric>

namespace offheap {
namespace {

Bytes committed_metaspace(const HotspotReport& jvm) {
  return (jvm.metaspace ? jvm.metaspace->committed_bytes : 0) +
         (jvm.class_space ? jvm.class_space->committed_bytes : 0);
}

Bytes used_code(const HotspotReport& jvm) {
  return std::accumulate(jvm.code_heaps.begin(), jvm.code_heaps.end(), Bytes{0},
                         [](Bytes sum, const CodeHeap& heap) { return sum + heap.used_bytes; });
}

}  // namespace

JavaEvidence java_evidence(const std::vector<Look>& looks) {
  JavaEvidence evidence;
  evidence.now = *looks.back().jvm;
  if (looks.size() > 1 && looks.front().jvm) evidence.classes_before = looks.front().jvm->classes;
  for (const Look& look : looks) {
    if (!look.jvm) continue;
    if (look.jvm->metaspace)
      evidence.metaspace_points.push_back({look.time_ns, committed_metaspace(*look.jvm)});
    evidence.code_points.push_back({look.time_ns, used_code(*look.jvm)});
    if (look.jvm->direct && look.jvm->direct->reserved_bytes)
      evidence.direct_points.push_back({look.time_ns, *look.jvm->direct->reserved_bytes});
  }
  return evidence;
}

}  // namespace offheap
