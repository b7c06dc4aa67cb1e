// SPDX-License-Identifier: Apache-2.0
#include "libshim/timeline.h"

#include "libshim/process.h"
#include "libshim/recorder.h"

namespace shim {
namespace {

using recording::Timeline;
using recording::TimelineEntry;

constexpr uint64_t kFirstIntervalNs = 100'000'000;

uint64_t next_due_ns = 0;
// Keeps a second thread out should the first be held up inside for longer than an interval.
bool busy = false;

void write_entry(TimelineEntry* out, const TimelineEntry& entry) {
  uint64_t sequence = out->sequence;
  __atomic_store_n(&out->sequence, sequence | 1, __ATOMIC_RELAXED);
  __atomic_thread_fence(__ATOMIC_RELEASE);  // the odd sequence is seen before any new field
  out->time_ns = entry.time_ns;
  out->allocated_bytes = entry.allocated_bytes;
  out->freed_bytes = entry.freed_bytes;
  out->rss_bytes = entry.rss_bytes;
  out->direct_mapped_bytes = entry.direct_mapped_bytes;
  out->backend_resident_bytes = entry.backend_resident_bytes;
  out->sample_mean_bytes = entry.sample_mean_bytes;
  __atomic_store_n(&out->sequence, (sequence | 1) + 1, __ATOMIC_RELEASE);
}

/// Asks the backend for its statistics, but spends no more than half a percent of the time on it: with
/// many arenas one answer can take milliseconds.
void refresh_statistics(uint64_t now_ns) {
  static uint64_t due_ns = 0;
  recording::BackendStatistics& statistics = the_recording->header.backend;
  if (!the_backend->statistics || (now_ns < due_ns && statistics.epoch_count)) return;
  the_backend->statistics(&statistics);
  statistics.time_ns = now_ns;
  ++statistics.epoch_count;
  uint64_t end_ns = monotonic_ns();
  due_ns = end_ns + (end_ns - now_ns) * 200;
}

void thin_out(Timeline* timeline) {
  uint32_t kept = timeline->count / 2;
  for (uint32_t i = 1; i < kept; ++i) write_entry(&timeline->entries[i], timeline->entries[2 * i]);
  timeline->interval_ns *= 2;
  __atomic_store_n(&timeline->count, kept, __ATOMIC_RELEASE);
}

}  // namespace

Totals sum_totals() {
  const ArenaCell& folded = the_recording->header.folded;
  Totals totals{folded.in_bytes, folded.out_bytes};
  for_each_slot(the_recording, [&](const ThreadSlot& slot) {
    ArenaCell counted = totals_of(slot);
    totals.allocated_bytes += counted.in_bytes;
    totals.freed_bytes += counted.out_bytes;
  });
  return totals;
}

void timeline_begin(uint64_t now_ns) {
  the_recording->timeline.interval_ns = kFirstIntervalNs;
  busy = true;  // also where a fork caught another thread inside
  timeline_add(now_ns);
}

bool timeline_due(uint64_t now_ns) {
  uint64_t due_ns = __atomic_load_n(&next_due_ns, __ATOMIC_RELAXED);
  if (now_ns < due_ns) return false;
  uint64_t next_ns = now_ns + the_recording->timeline.interval_ns;
  return __atomic_compare_exchange_n(&next_due_ns, &due_ns, next_ns, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED) &&
         !__atomic_exchange_n(&busy, true, __ATOMIC_ACQUIRE);
}

void timeline_add(uint64_t now_ns) {
  recording::Header& header = the_recording->header;
  Timeline& timeline = the_recording->timeline;
  refresh_statistics(now_ns);
  Totals totals = sum_totals();
  if (timeline.count == recording::kTimelineCapacity) thin_out(&timeline);
  TimelineEntry entry{};
  entry.time_ns = now_ns;
  entry.allocated_bytes = totals.allocated_bytes;
  entry.freed_bytes = totals.freed_bytes;
  entry.rss_bytes = header.flags & recording::kFlagFileBacked ? resident_bytes() : 0;
  entry.direct_mapped_bytes = header.direct_mapped_bytes;
  entry.backend_resident_bytes = header.backend.resident_bytes;
  entry.sample_mean_bytes = header.sample_mean_bytes;
  write_entry(&timeline.entries[timeline.count], entry);
  __atomic_store_n(&timeline.count, timeline.count + 1, __ATOMIC_RELEASE);
  header.self.tick_count += 1;
  header.self.tick_ns += monotonic_ns() - now_ns;
  next_due_ns = now_ns + timeline.interval_ns;
  __atomic_store_n(&busy, false, __ATOMIC_RELEASE);
}

}  // namespace shim
