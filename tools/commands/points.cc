// SPDX-License-Identifier: Apache-2.0
#include "commands/points.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "base/units.h"
#include "ledger/malloc_totals.h"

namespace offheap {
namespace {

/// Where recordings begin late: the bytes that were alive before the first count, so that the series is
/// of all live bytes. As many as the heap says, and never so few that the series would fall below zero.
Bytes older_bytes(const Snapshot& snapshot, std::optional<Bytes> heap_live_bytes) {
  if (!begins_late(snapshot)) return 0;
  Bytes older = minus(snapshot.freed_bytes, snapshot.allocated_bytes);
  for (const TimelinePoint& point : snapshot.timeline)
    older = std::max(older, minus(point.freed_bytes, point.allocated_bytes));
  const Bytes counted = minus(snapshot.allocated_bytes, snapshot.freed_bytes);
  return std::max(older, minus(heap_live_bytes.value_or(0), counted));
}

void add_timeline(const Snapshot& snapshot, Bytes older, Series& series) {
  for (const TimelinePoint& point : snapshot.timeline) {
    series.live.push_back({point.time_ns, minus(older + point.allocated_bytes, point.freed_bytes)});
    series.direct.push_back({point.time_ns, point.direct_mapped_bytes});
    if (point.rss_bytes > 0) series.rss.push_back({point.time_ns, point.rss_bytes});
  }
}

void add_now(const Snapshot& snapshot, Bytes older, std::uint64_t time_ns, Series& series) {
  series.live.push_back({time_ns, minus(older + snapshot.allocated_bytes, snapshot.freed_bytes)});
  series.direct.push_back({time_ns, snapshot.direct_mapped_bytes});
}

void add_look(const Look& look, Bytes older, Series& series) {
  series.rss.push_back({look.time_ns, look.ledger.rss_bytes});
  series.stacks.push_back({look.time_ns, look.ledger.rss_of(Owner::kThreadStacks)});
  if (look.snapshot) {
    add_now(*look.snapshot, older, look.snapshot->taken_time_ns, series);
  } else if (look.heap) {
    series.live.push_back({look.time_ns, total_of_heap(*look.heap).obtained.live_bytes});
  }
}

void sort_by_time(std::vector<TrendPoint>& points) {
  std::stable_sort(points.begin(), points.end(),
                   [](const TrendPoint& a, const TrendPoint& b) { return a.time_ns < b.time_ns; });
}

bool decides(Shape shape) { return shape != Shape::kTooShort && shape != Shape::kUneven; }

/// The whole series, or its part since `watch_begin_ns` when only that part decides.
std::vector<TrendPoint> deciding_part(std::vector<TrendPoint> points, std::uint64_t watch_begin_ns) {
  sort_by_time(points);
  if (watch_begin_ns == 0 || decides(classify(points).shape)) return points;
  std::vector<TrendPoint> watched;
  std::copy_if(points.begin(), points.end(), std::back_inserter(watched),
               [&](const TrendPoint& point) { return point.time_ns >= watch_begin_ns; });
  return decides(classify(watched).shape) ? watched : points;
}

}  // namespace

Series series_of(const std::vector<Look>& looks) {
  Series series;
  const Look& last = looks.back();
  Bytes older = 0;
  if (last.snapshot) {
    std::optional<Bytes> heap_live_bytes;
    if (last.heap) heap_live_bytes = total_of_heap(*last.heap).obtained.live_bytes;
    older = older_bytes(*last.snapshot, heap_live_bytes);
    add_timeline(*last.snapshot, older, series);
  }
  for (const Look& look : looks) add_look(look, older, series);
  const std::uint64_t watch_begin_ns = looks.size() > 1 ? looks.front().time_ns : 0;
  for (auto* points : {&series.live, &series.rss, &series.direct, &series.stacks}) {
    *points = deciding_part(std::move(*points), watch_begin_ns);
  }
  return series;
}

Series series_of(const Snapshot& snapshot) {
  Series series;
  const Bytes older = older_bytes(snapshot, std::nullopt);
  add_timeline(snapshot, older, series);
  add_now(snapshot, older, snapshot.taken_time_ns, series);
  for (auto* points : {&series.live, &series.rss, &series.direct}) sort_by_time(*points);
  return series;
}

}  // namespace offheap
