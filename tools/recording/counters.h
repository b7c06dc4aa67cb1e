// SPDX-License-Identifier: Apache-2.0
//
// The counters of a recording in usable bytes: threads, arenas, totals, points of the timeline.
#pragma once

#include "libshim/recording_layout.h"
#include "recording/snapshot.h"

namespace offheap {

/// Fills the totals, threads and arenas of `out` from a copied recording. Sums wrap nowhere: a counter
/// that ran ahead of its partner, as two words read one after the other may, gives 0, not 2^64.
void read_counters(const recording::Recording& raw, Snapshot* out);

/// Timeline entries in glibc chunk bytes carry no block counts, so they are scaled by the overhead that
/// the whole recording has now. 1 = the recording counts usable bytes.
struct TimelineScale {
  double allocated_ratio = 1;
  double live_ratio = 1;
};

/// `totals` holds the figures that read_counters has filled in.
TimelineScale timeline_scale(const recording::Recording& raw, const Snapshot& totals);

/// `entry` in usable bytes.
TimelinePoint usable_point(const recording::TimelineEntry& entry, const TimelineScale& scale);

}  // namespace offheap
