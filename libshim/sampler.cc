// SPDX-License-Identifier: Apache-2.0
#include "libshim/sampler.h"

#include "libshim/java/java_frames.h"
#include "libshim/process.h"
#include "libshim/sampling/interval.h"
#include "libshim/sampling/live_samples.h"
#include "libshim/sampling/site_table.h"
#include "libshim/sampling/tags.h"
#include "libshim/timeline.h"
#include "libshim/unwind/unwinder.h"

namespace shim {
namespace {

using recording::LiveSample;
using recording::Site;

constexpr int64_t kNeverBytes = INT64_MAX / 2;
constexpr uint64_t kTimedEvery = 16;  // two clock reads are a tenth of a sample's cost

Interval interval;

/// Readings of the last look at the clocks, and what the budget's own clock stood at.
struct BudgetClock {
  uint64_t cpu_ns;
  uint64_t now_ns;
  uint64_t sum_ns;
};
BudgetClock budget_clock;

/// Sets `inside` for a scope, so that an allocation made by anything we call is not sampled itself.
class InsideScope {
 public:
  InsideScope() { thread_state.inside = true; }
  ~InsideScope() { thread_state.inside = false; }
  InsideScope(const InsideScope&) = delete;
  InsideScope& operator=(const InsideScope&) = delete;
};

/// The countdown is the counter of allocated bytes, so moving it moves its base along.
void redraw(HotCell* cell) {
  uint64_t mean_bytes = sample_mean_bytes();
  int64_t countdown = next_countdown(mean_bytes);
  cell->sample_mean_bytes = mean_bytes;
  cell->allocated_base += countdown - cell->countdown;
  cell->countdown = countdown;
  thread_state.countdown = countdown;
}

/// Estimate of the allocated bytes that a sample stands for, rounded.
uint64_t weight_bytes(const LiveSample& sample) {
  uint64_t usable_bytes = sample.requested_bytes + sample.slack_bytes;
  return static_cast<uint64_t>(
      sample_weight_bytes(usable_bytes, static_cast<double>(sample.mean_bytes)) + 0.5);
}

LiveSample describe(const Block& block, uint64_t mean_bytes, uint32_t site, uint64_t now_ns) {
  uint64_t slack_bytes = block.usable_bytes - block.requested_bytes;
  if (block.usable_bytes < block.requested_bytes) slack_bytes = 0;
  if (slack_bytes > UINT32_MAX) slack_bytes = UINT32_MAX;
  double scale = static_cast<double>(block.requested_bytes + slack_bytes) /
                 static_cast<double>(block.charged_bytes ? block.charged_bytes : 1);
  LiveSample sample{};
  sample.requested_bytes = block.requested_bytes;
  sample.slack_bytes = static_cast<uint32_t>(slack_bytes);
  sample.site = site;
  sample.mean_bytes = static_cast<float>(static_cast<double>(mean_bytes) * scale);
  sample.born_ms = static_cast<uint32_t>(recording_ms(now_ns));
  return sample;
}

/// The site of whoever called the shim.
uint32_t site_here(uint16_t flags) {
  Stack stack;
  unwind(&stack);
  bool inserted = false;
  uint32_t index = java_frames_possible() ? site_with_java(the_recording, &stack, flags, &inserted)
                                          : site_of(the_recording, stack, flags, &inserted);
  if (inserted) look_for_java(the_recording);
  return index;
}

void take_sample(const Block& block, uint64_t mean_bytes, uint64_t now_ns) {
  uint32_t index = site_here(0);
  LiveSample sample = describe(block, mean_bytes, index, now_ns);
  if (index != recording::kNoSite) {
    Site& site = the_recording->sites[index];
    add_relaxed(&site.sampled_count, uint64_t{1});
    add_relaxed(&site.allocated_estimate_bytes, weight_bytes(sample));
  }
  if (live_insert(the_recording, reinterpret_cast<uint64_t>(block.address), sample))
    tag_add(block.address);
}

/// The time that the budget is a share of: CPU time, but at least what has passed. A program that
/// hardly runs allocates much for the CPU it takes, and leaves cores idle. Called by one thread at a
/// time.
uint64_t budget_clock_ns(uint64_t now_ns) {
  uint64_t cpu_ns = process_cpu_ns();
  uint64_t cpu_passed_ns = cpu_ns > budget_clock.cpu_ns ? cpu_ns - budget_clock.cpu_ns : 0;
  uint64_t passed_ns = now_ns > budget_clock.now_ns ? now_ns - budget_clock.now_ns : 0;
  uint64_t sum_ns = budget_clock.sum_ns + (cpu_passed_ns > passed_ns ? cpu_passed_ns : passed_ns);
  budget_clock = {cpu_ns, now_ns, sum_ns};
  return sum_ns;
}

void adapt(uint64_t now_ns) {
  if (!interval_poll_due(&interval, now_ns)) return;
  Totals totals = sum_totals();
  if (interval_update(&interval, totals.allocated_bytes, totals.live_bytes(), budget_clock_ns(now_ns)))
    __atomic_store_n(&the_recording->header.sample_mean_bytes, sample_mean_bytes(), __ATOMIC_RELAXED);
}

/// True every so often. The first samples fault in the shim's own pages and parse unwind rows, which is
/// not what a sample costs.
bool is_timed(uint64_t ordinal) { return ordinal % kTimedEvery == kTimedEvery - 1; }

void note_cost(uint64_t cost_ns) {
  recording::SelfCost& self = the_recording->header.self;
  add_relaxed(&self.sample_ns, cost_ns);
  add_relaxed(&self.sample_timed_count, uint64_t{1});
  interval_note_cost(&interval, cost_ns);
}

void add_to_freed(const LiveSample& sample, uint64_t freed_bytes) {
  if (sample.site >= recording::kSiteCapacity) return;
  Site& site = the_recording->sites[sample.site];
  add_relaxed(&site.sampled_freed_count, uint64_t{1});
  add_relaxed(&site.freed_estimate_bytes, freed_bytes);
}

}  // namespace

uint64_t sample_mean_bytes() {
  return the_options.sampling ? static_cast<uint64_t>(interval_mean(&interval)) : 0;
}

int64_t next_countdown(uint64_t mean_bytes) {
  if (mean_bytes == 0) return kNeverBytes;
  if (mean_bytes == 1) return 0;  // every block
  return draw_countdown(&thread_state.rng, static_cast<double>(mean_bytes));
}

void countdown_ran_out(HotCell* cell, const Block& block) {
  if (thread_state.inside) {
    add_relaxed(&the_recording->header.losses.reentrant_count, uint64_t{1});
    redraw(cell);
    return;
  }
  ErrnoKeeper errno_keeper;
  InsideScope inside;
  if (reopen_after_fork()) return;  // a zeroed countdown ran out, not one that was drawn
  uint64_t now_ns = monotonic_ns();
  uint64_t mean_bytes = cell->sample_mean_bytes;
  redraw(cell);
  publish_jemalloc_bytes(thread_state.slot);
  if (mean_bytes == 0) return;
  take_sample(block, mean_bytes, now_ns);
  adapt(now_ns);
  if (is_timed(add_relaxed(&the_recording->header.self.sample_count, uint64_t{1})))
    note_cost(monotonic_ns() - now_ns);
  if (timeline_due(now_ns)) timeline_add(now_ns);
}

bool take_back_sample(void* address, LiveSample* taken) {
  if (!live_take(the_recording, reinterpret_cast<uint64_t>(address), taken)) return false;
  tag_remove(address);
  return true;
}

void count_freed_sample(const LiveSample& sample) {
  uint64_t freed_bytes = weight_bytes(sample);
  add_to_freed(sample, freed_bytes);
  if (thread_state.inside || thread_state.slot == &sentinel_slot) return;
  // A program that only frees must not stop the clock.
  ErrnoKeeper errno_keeper;
  InsideScope inside;
  if (reopen_after_fork()) return;
  publish_jemalloc_bytes(thread_state.slot);
  uint64_t now_ns = monotonic_ns();
  bool outdated = timeline_outdated(freed_bytes);
  if (!outdated && !timeline_due(now_ns)) return;
  do {
    timeline_add(now_ns, outdated);
    now_ns = monotonic_ns();
    outdated = timeline_outdated(0);
  } while (outdated);
}

void free_sample(void* address) {
  static uint64_t looked_count;
  uint64_t start_ns = is_timed(add_relaxed(&looked_count, uint64_t{1})) ? monotonic_ns() : 0;
  LiveSample sample;
  if (!take_back_sample(address, &sample)) return;
  count_freed_sample(sample);
  if (start_ns) interval_note_free_cost(&interval, monotonic_ns() - start_ns);
}

void restore_sample(void* address, const LiveSample& sample) {
  if (live_insert(the_recording, reinterpret_cast<uint64_t>(address), sample)) tag_add(address);
}

uint32_t site_of_caller() { return site_here(recording::kSiteMapping); }

void start_sampler() {
  // A forked child's CPU clock starts anew, but it goes on with what its parent has learned, and has no
  // youth of its own: a server may fork for every connection.
  budget_clock = {process_cpu_ns(), monotonic_ns(), budget_clock.sum_ns + 1};
  interval.budget = the_options.budget_ppm * 1e-6;
  if (the_options.sample_bytes) interval_fix(&interval, the_options.sample_bytes);
  the_recording->header.sample_mean_bytes = sample_mean_bytes();
  publish_java(the_recording);
  timeline_begin(monotonic_ns());
}

}  // namespace shim
