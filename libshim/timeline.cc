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

/// What timeline_outdated goes by. Written with the points, and by any thread that frees.
struct {
  uint64_t live_bytes;   ///< at the last point
  uint64_t look_bytes;   ///< freed until it is worth adding up what is alive
  uint64_t freed_bytes;  ///< since the last such look
  // Only by whoever holds `busy`.
  uint64_t churn_bytes;       ///< freed since the last point, as of the last look
  uint64_t most_churn_bytes;  ///< that make it outdated
  uint64_t resident_bytes;    ///< as the backend said last
} since_point;
constexpr uint64_t kLeastLookBytes = uint64_t{1} << 20;

void note_point(uint64_t live_bytes) {
  uint64_t look_bytes = live_bytes / 4 > kLeastLookBytes ? live_bytes / 4 : kLeastLookBytes;
  __atomic_store_n(&since_point.live_bytes, live_bytes, __ATOMIC_RELAXED);
  __atomic_store_n(&since_point.look_bytes, look_bytes, __ATOMIC_RELAXED);
  __atomic_store_n(&since_point.freed_bytes, uint64_t{0}, __ATOMIC_RELAXED);
  since_point.churn_bytes = 0;
}

/// An eighth of what is resident may be freed until the next point; while that changes nothing, four
/// times as much each time until a point is due: a steady heap is not asked about over and over.
void note_resident(uint64_t resident_bytes, bool due) {
  uint64_t before_bytes = since_point.resident_bytes;
  uint64_t moved_bytes =
      resident_bytes > before_bytes ? resident_bytes - before_bytes : before_bytes - resident_bytes;
  uint64_t eighth_bytes = resident_bytes / 8 > kLeastLookBytes ? resident_bytes / 8 : kLeastLookBytes;
  if (due || moved_bytes >= before_bytes / 8)
    since_point.most_churn_bytes = eighth_bytes;
  else
    since_point.most_churn_bytes *= 4;
  since_point.resident_bytes = resident_bytes;
}

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

/// Asks the backend for its statistics, but spends no more than half a percent of the time on it,
/// unless it must: with many arenas one answer can take milliseconds.
void refresh_statistics(uint64_t now_ns, bool must) {
  static uint64_t due_ns = 0;
  recording::BackendStatistics& statistics = the_recording->header.backend;
  if (!the_backend->statistics || (!must && now_ns < due_ns && statistics.epoch_count)) return;
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
  Totals totals{__atomic_load_n(&folded.in_bytes, __ATOMIC_RELAXED),
                __atomic_load_n(&folded.out_bytes, __ATOMIC_RELAXED)};
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

// How often this is true ahead of time is bounded: after each point, what is alive can be halved some
// twenty times down to the least look, and to do so again it must first grow; for churn see
// note_resident.
bool timeline_outdated(uint64_t freed_bytes) {
  if (!the_backend->statistics) return false;
  uint64_t freed = __atomic_add_fetch(&since_point.freed_bytes, freed_bytes, __ATOMIC_RELAXED);
  if (freed < __atomic_load_n(&since_point.look_bytes, __ATOMIC_RELAXED)) return false;
  if (__atomic_exchange_n(&busy, true, __ATOMIC_ACQUIRE))
    return false;  // it looks again when it is done
  __atomic_store_n(&since_point.freed_bytes, uint64_t{0}, __ATOMIC_RELAXED);
  since_point.churn_bytes += freed;
  uint64_t then_bytes = __atomic_load_n(&since_point.live_bytes, __ATOMIC_RELAXED);
  uint64_t live_bytes = sum_totals().live_bytes();
  if (live_bytes <= then_bytes / 2 && then_bytes - live_bytes >= kLeastLookBytes) return true;
  if (since_point.churn_bytes >= since_point.most_churn_bytes) return true;
  __atomic_store_n(&busy, false, __ATOMIC_RELEASE);
  return false;
}

void timeline_add(uint64_t now_ns, bool must_refresh) {
  recording::Header& header = the_recording->header;
  Timeline& timeline = the_recording->timeline;
  // Before the statistics, which take a while: what others free meanwhile counts as freed since.
  Totals totals = sum_totals();
  note_point(totals.live_bytes());
  refresh_statistics(now_ns, must_refresh);
  note_resident(header.backend.resident_bytes, !must_refresh);
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
  __atomic_store_n(&next_due_ns, now_ns + timeline.interval_ns, __ATOMIC_RELAXED);
  __atomic_store_n(&busy, false, __ATOMIC_RELEASE);
}

}  // namespace shim
