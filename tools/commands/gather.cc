// SPDX-License-Identifier: Apache-2.0
#include "commands/gather.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/format.h"
#include "base/units.h"
#include "commands/java_evidence.h"
#include "commands/points.h"
#include "recording/estimate.h"
#include "recording/losses.h"

namespace offheap {
namespace {

constexpr std::size_t kSitesJudged = 200;
constexpr std::size_t kPinsNamed = 3;

/// Live bytes of each site by birth, in the four windows that the trend was judged by.
std::map<std::uint32_t, std::array<Bytes, 4>> births_in(const Snapshot& snapshot, const Trend& trend) {
  std::map<std::uint32_t, std::array<Bytes, 4>> births;
  if (trend.window_ns == 0) return births;
  const std::uint64_t begin = trend.window_end_ns - trend.window_ns;
  auto add = [&](std::uint32_t site, std::uint64_t born_ns, double bytes) {
    if (born_ns < begin || born_ns > trend.window_end_ns) return;
    const auto window = std::min<std::uint64_t>(3, (born_ns - begin) * 4 / trend.window_ns);
    births[site][window] += static_cast<Bytes>(bytes);
  };
  for (const RecordedSample& sample : snapshot.samples) {
    const auto usable = static_cast<double>(sample.usable_bytes);
    const double inclusion = sample.mean_bytes > 0 ? 1 - std::exp(-usable / sample.mean_bytes) : 1;
    add(sample.site, sample.born_ns, inclusion > 0 ? usable / inclusion : usable);
  }
  for (const RecordedMapping& mapping : snapshot.mappings) {
    add(mapping.site, mapping.born_ns, static_cast<double>(mapping.range.size()));
  }
  return births;
}

/// The last point of the timeline up to `time_ns`; all zero when there is none.
TimelinePoint point_at(const Snapshot& snapshot, std::uint64_t time_ns) {
  TimelinePoint last;
  for (const TimelinePoint& point : snapshot.timeline) {
    if (point.time_ns <= time_ns) last = point;
  }
  return last;
}

/// The most blocks that can be alive. jemalloc said how many there were at its last refresh; what was
/// allocated since then may be in blocks of its smallest size.
std::uint64_t most_live_blocks(const Snapshot& snapshot, const TimelinePoint& refreshed) {
  constexpr Bytes kSmallestBlockBytes = 8;
  if (snapshot.live_count) return *snapshot.live_count;
  return snapshot.backend.block_count +
         minus(snapshot.allocated_bytes, refreshed.allocated_bytes) / kSmallestBlockBytes;
}

class Gatherer {
 public:
  Gatherer(TargetLine target, const GatherOptions& options) : options_(options) {
    explanation_.target = std::move(target);
    evidence_.target = options.target;
    evidence_.allocator = explanation_.target.allocator;
    evidence_.has_shim = explanation_.target.has_shim;
    evidence_.process_age_ns = explanation_.target.age_ns;
  }

  void use_series(const Series& series) {
    evidence_.live_points = series.live;
    evidence_.rss_points = series.rss;
    evidence_.direct_points = series.direct;
    evidence_.stack_points = series.stacks;
  }

  void use_looks(const std::vector<Look>& looks) {
    const Look& last = looks.back();
    explanation_.ledger = last.ledger;
    explanation_.heap = last.heap;
    evidence_.heap_unread = last.heap_unread;
    explanation_.java = last.jvm;
    if (last.jvm) evidence_.java = java_evidence(looks);
    explanation_.cgroup = last.cgroup;
    explanation_.group = last.group;
    explanation_.notes = last.notes;
    evidence_.thread_count = last.threads.size();
    evidence_.huge_zero_bytes = last.huge_zero_bytes;
    if (last.heap) use_heap(*last.heap);
    if (looks.size() > 1) use_watch(looks.front(), last);
    use_threads(last);
    for (const LedgerCheck& check : last.ledger.checks)
      explanation_.self.checks.push_back({check.name, check.ok});
    // Of the host's own groups the kernel counts parts elsewhere; a container's must fit.
    if (last.group && last.cgroup && last.cgroup->container) {
      explanation_.self.checks.push_back(
          {"the cgroup's charge = anonymous + files + shared + kernel, but for what CPUs hold in "
           "advance",
           last.group->charge.closed()});
    }
  }

  /// `before` is the snapshot of an earlier look, or null.
  void use_snapshot(const Snapshot& snapshot, const Snapshot* before, const HeapReport* heap) {
    explanation_.self.losses = snapshot.losses;
    explanation_.self.cost = snapshot.self;
    evidence_.program_has_own_malloc = (snapshot.flags & recording::kFlagBypassed) != 0;
    use_backend(snapshot);
    const ExactTotals totals = exact_totals(snapshot, heap);
    const auto estimates =
        before ? estimate_growth(*before, exact_totals(*before, nullptr), snapshot, totals)
               : estimate_sites(snapshot, totals);
    SiteNames names(snapshot, options_.root);
    use_sites(snapshot, estimates, names);
    name_pins(names);
    for (const std::string& note : names.notes()) explanation_.notes.push_back(note);
    for (const std::string& note : describe_losses(snapshot)) explanation_.notes.push_back(note);
  }

  Explanation finish() {
    evidence_.ledger = explanation_.ledger;
    evidence_.rss_known = explanation_.rss_known;
    evidence_.heap = explanation_.heap;
    evidence_.malloc = explanation_.malloc;
    evidence_.backend = explanation_.backend;
    evidence_.cgroup = explanation_.cgroup;
    evidence_.group = explanation_.group;
    explanation_.verdicts = judge(evidence_);
    const TargetLine& target = explanation_.target;
    if (!target.has_shim && !target.shim_unreadable && explanation_.rss_known) {
      explanation_.notes.push_back(
          fmt::format("no recording: sites, threads' counts and exact growth are missing{}. To have "
                      "them: {}",
                      evidence_.heap_unread ? "" : "; the ledger and the heap are complete",
                      how_to_record(evidence_)));
    }
    return std::move(explanation_);
  }

  /// Of a recording alone: what its counters say, of the threads that lived when it was last written.
  void without_process(const Snapshot& snapshot) {
    explanation_.rss_known = false;
    for (const RecordedThread& thread : snapshot.threads)
      explanation_.threads.push_back(
          {thread.tid, thread.name, thread.allocated_bytes, thread.freed_bytes, {}});
  }

 private:
  void use_heap(const HeapReport& heap) {
    // Under another allocator glibc's own heap is a remnant that stands for nothing.
    const bool remnant = explanation_.ledger.rss_of(Owner::kBackendRanges) >
                         explanation_.ledger.rss_of(Owner::kMallocArenas) +
                             explanation_.ledger.rss_of(Owner::kMallocMmapped);
    if (!remnant) explanation_.malloc = total_of_heap(heap);
    explanation_.self.pause_ns = heap.pause_ns;
    explanation_.self.total_pause_ns = heap.total_pause_ns;
    explanation_.self.estimate = heap.estimate;
    for (const ArenaReport& arena : heap.arenas) {
      explanation_.arena_threads.push_back(arena.threads);
      for (const PinningBlock& block : arena.pinning)
        evidence_.pins.push_back({arena.index, block, {}});
    }
    std::stable_sort(evidence_.pins.begin(), evidence_.pins.end(),
                     [](const PinEvidence& a, const PinEvidence& b) {
                       return a.block.freed_if_gone_bytes > b.block.freed_if_gone_bytes;
                     });
    std::erase_if(evidence_.pins, [](const PinEvidence& pin) {
      return pin.block.freed_if_gone_bytes < kLeakSiteBytes;
    });
    for (const HeapCheck& check : heap.checks)
      explanation_.self.checks.push_back({check.name, check.ok});
  }

  void use_watch(const Look& first, const Look& last) {
    WatchLine watch;
    watch.watched_ns = last.time_ns - first.time_ns;
    watch.rss_growth_bytes = static_cast<std::int64_t>(last.ledger.rss_bytes) -
                             static_cast<std::int64_t>(first.ledger.rss_bytes);
    for (std::size_t i = 0; i < kOwnerCount; ++i) {
      watch.owners.push_back(
          {static_cast<Owner>(i), static_cast<std::int64_t>(last.ledger.owners[i].rss_bytes) -
                                      static_cast<std::int64_t>(first.ledger.owners[i].rss_bytes)});
    }
    explanation_.watch = std::move(watch);
    evidence_.thread_count_before = first.threads.size();
  }

  void use_threads(const Look& look) {
    std::map<std::uint32_t, const RecordedThread*> recorded;
    if (look.snapshot) {
      for (const RecordedThread& thread : look.snapshot->threads) recorded[thread.tid] = &thread;
    }
    std::map<std::uint32_t, Bytes> stack_rss;
    for (const ThreadStack& stack : look.stacks) stack_rss[stack.tid] = stack.rss_bytes;
    for (const ThreadName& thread : look.threads) {
      ThreadLine line{thread.tid, thread.name, {}, {}, stack_rss[thread.tid]};
      const auto inner = look.inner_tids.find(thread.tid);
      const std::uint32_t recorded_tid = inner == look.inner_tids.end() ? thread.tid : inner->second;
      if (const auto found = recorded.find(recorded_tid); found != recorded.end()) {
        line.allocated_bytes = found->second->allocated_bytes;
        line.freed_bytes = found->second->freed_bytes;
      }
      explanation_.threads.push_back(std::move(line));
    }
  }

  void use_backend(const Snapshot& snapshot) {
    const Bytes rss_bytes = explanation_.rss_known ? explanation_.ledger.rss_of(Owner::kBackendRanges)
                                                   : snapshot.backend.resident_bytes;
    const auto totals = backend_totals(snapshot, rss_bytes);
    if (!totals) return;
    explanation_.malloc = *totals;
    explanation_.backend = snapshot.backend;
    explanation_.backend->allocated_bytes = minus(snapshot.allocated_bytes, snapshot.freed_bytes);
  }

  void use_sites(const Snapshot& snapshot, const std::vector<SiteEstimate>& estimates,
                 SiteNames& names) {
    const auto births = births_in(snapshot, classify(evidence_.live_points));
    const auto mapping_births = births_in(snapshot, classify(evidence_.direct_points));
    for (const SiteEstimate& estimate : estimates) {
      evidence_.live_requested_bytes += estimate.requested_bytes;
      if (estimate.live_bytes == 0) continue;
      const bool mapping =
          estimate.site < snapshot.sites.size() && snapshot.sites[estimate.site].mapping;
      // What a JVM or another allocator reserves for itself is in the ledger, and no site of the
      // program.
      if (mapping && owner_of_mapping_site(snapshot, estimate.site) != Owner::kDirectMmaps) continue;
      ++explanation_.site_count;
      if (evidence_.sites.size() < kSitesJudged) {
        const auto& from = mapping ? mapping_births : births;
        const auto born = from.find(estimate.site);
        evidence_.sites.push_back(site_evidence(
            estimate, mapping, born == from.end() ? std::array<Bytes, 4>{} : born->second));
        if (estimate.growth_low > 0) evidence_.sites.back().place = names.place(estimate.site);
      }
      if (explanation_.sites.size() < options_.site_limit) {
        explanation_.sites.push_back(site_line(snapshot, estimate, mapping, names));
      }
    }
  }

  static SiteEvidence site_evidence(const SiteEstimate& estimate, bool mapping,
                                    const std::array<Bytes, 4>& born) {
    SiteEvidence site;
    site.live_bytes = estimate.live_bytes;
    site.live_low_bytes = estimate.live_bytes_low;
    site.live_high_bytes = estimate.live_bytes_high;
    site.requested_bytes = estimate.requested_bytes;
    site.growth_bytes_per_second = estimate.growth_bytes_per_second;
    site.growth_low = estimate.growth_low;
    site.growth_high = estimate.growth_high;
    site.born_bytes = born;
    site.mapping = mapping;
    return site;
  }

  static SiteLine site_line(const Snapshot& snapshot, const SiteEstimate& estimate, bool mapping,
                            SiteNames& names) {
    SiteLine line;
    line.live_bytes = estimate.live_bytes;
    line.requested_bytes = estimate.requested_bytes;
    line.live_bytes_low = estimate.live_bytes_low;
    line.live_bytes_high = estimate.live_bytes_high;
    line.growth_known = estimate.growth_source != GrowthSource::kNone;
    line.growth_bytes_per_second = estimate.growth_bytes_per_second;
    line.growth_low = estimate.growth_low;
    line.growth_high = estimate.growth_high;
    line.live_count = estimate.live_count;
    line.sample_count = estimate.sample_count;
    line.mapping = mapping;
    line.truncated = estimate.site < snapshot.sites.size() && snapshot.sites[estimate.site].truncated;
    line.frames = names.frames(estimate.site);
    line.allocated_by = names.allocated_by(estimate.site);
    return line;
  }

  void name_pins(SiteNames& names) {
    for (std::size_t i = 0; i < std::min(kPinsNamed, evidence_.pins.size()); ++i) {
      evidence_.pins[i].place = names.place_of_block(evidence_.pins[i].block.address);
    }
  }

  const GatherOptions& options_;
  Explanation explanation_;
  Evidence evidence_;
};

}  // namespace

std::optional<MallocTotals> backend_totals(const Snapshot& snapshot, Bytes rss_bytes) {
  const bool embedded = snapshot.backend_kind == recording::BackendKind::kJemalloc ||
                        snapshot.backend_kind == recording::BackendKind::kTcmalloc;
  if (!embedded || snapshot.backend.epoch_count == 0) return {};
  // The counters are exact and of now, the backend's own figures as old as its last refresh.
  BackendNow now;
  now.live_bytes = minus(snapshot.allocated_bytes, snapshot.freed_bytes);
  const TimelinePoint refreshed = point_at(snapshot, snapshot.backend.time_ns);
  now.most_live_count = most_live_blocks(snapshot, refreshed);
  now.freed_since_bytes = minus(snapshot.freed_bytes, refreshed.freed_bytes);
  // Nothing counted alive beside a backend that says otherwise: the counters were not readable.
  if (now.live_bytes == 0) return {};
  now.rss_bytes = rss_bytes;
  return total_of_backend(snapshot.backend, now);
}

Explanation explain_looks(TargetLine target, const std::vector<Look>& looks,
                          const GatherOptions& options) {
  const Look& last = looks.back();
  Gatherer gatherer(std::move(target), options);
  gatherer.use_series(series_of(looks));
  gatherer.use_looks(looks);
  if (last.snapshot) {
    const Look& first = looks.front();
    const Snapshot* before = looks.size() > 1 && first.snapshot ? &*first.snapshot : nullptr;
    gatherer.use_snapshot(*last.snapshot, before, last.heap ? &*last.heap : nullptr);
  }
  return gatherer.finish();
}

Explanation explain_snapshot(TargetLine target, const Snapshot& snapshot,
                             const GatherOptions& options) {
  Gatherer gatherer(std::move(target), options);
  gatherer.without_process(snapshot);
  gatherer.use_series(series_of(snapshot));
  gatherer.use_snapshot(snapshot, nullptr, nullptr);
  return gatherer.finish();
}

}  // namespace offheap
