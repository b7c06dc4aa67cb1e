// SPDX-License-Identifier: Apache-2.0
//
// What holds of whatever is said of a JVM, however its memory lies.
#pragma once

#include "fuzz.h"
#include "hotspot/hotspot_report.h"

namespace fuzz {

inline void check(const offheap::HotspotReport& report) {
  for (const auto& range : report.ranges)
    require(range.range.begin < range.range.end && range.range.begin % offheap::kPageBytes == 0 &&
                range.range.end % offheap::kPageBytes == 0,
            "a range is whole pages");
  require(report.release.size() < 256, "texts are short");
  for (const auto& thread : report.threads) require(thread.tid != 0, "a thread has an id");
  if (report.heap && report.heap->used_bytes)
    require(*report.heap->used_bytes <= report.heap->committed_bytes, "used is committed");
}

}  // namespace fuzz
