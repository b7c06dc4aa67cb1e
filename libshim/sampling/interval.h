// SPDX-License-Identifier: Apache-2.0
//
// How often to sample. A block of s usable bytes is sampled with probability 1 - exp(-s / mean): a
// Poisson process over bytes. The mean follows the load, so that sampling costs a fixed share of CPU
// and the number of live samples stays bounded.
//
// Changing the mean is unbiased because the exponential distribution has no memory: a thread keeps the
// mean of its last draw until its countdown ends, each sample keeps the mean that was in force, and the
// mean is computed from totals that were known before the draw.
#pragma once

#include <cstdint>

namespace shim {

/// Before anything is known of the load. Start-up code allocates for milliseconds, not for minutes.
inline constexpr double kInitialMeanBytes = 32 * 1024;
/// A recording of a process with up to 32 MiB live then holds at most 8,192 live samples: 256 KiB of
/// its table, which with as much again for sites, frames and counters leaves it well under the 1 MiB
/// that a small process may be charged. It also keeps the tag table's false answers under 256 B / 4 KiB
/// = 6 % of frees.
inline constexpr double kLeastMeanBytes = 4096;
/// A JVM that packs pages allocates 3.4 GB in a CPU second: at 1 MiB its samples took 3 % of its CPU,
/// three times the budget. Much more, and after such a burst a slow leak would wait too long in each
/// thread for its first sample.
inline constexpr double kMostMeanBytes = 4 * 1024 * 1024;
/// Live samples aimed at when the CPU budget allows them: 40,000 estimate a site of 1 % of live bytes
/// within 5 %, half as many again absorb growth between two updates; under half of the table's slots.
inline constexpr double kLiveSampleGoal = 60000;

/// Shared by all threads of the process; private memory; valid when zeroed. Every field is read and
/// written with relaxed atomics. After a fork the child's copy goes on being valid.
struct Interval {
  uint64_t cpu_ns;           ///< process CPU time at the last update, 0 = none yet
  uint64_t allocated_bytes;  ///< total then
  uint64_t next_poll_ns;     ///< CLOCK_MONOTONIC before which reading the CPU clock is not worth it
  double rate;               ///< bytes allocated per CPU nanosecond, smoothed
  double cost_ns;            ///< of taking one sample, smoothed, 0 = none measured
  double free_cost_ns;       ///< of its free, smoothed, 0 = none measured
  double mean_bytes;         ///< 0 = kInitialMeanBytes
  double budget;             ///< share of CPU time that sampling may cost, 0 = 1 %
  uint32_t fixed;            ///< 1 = the mean is never changed
};

/// The mean in force, for a thread's next draw.
double interval_mean(const Interval* interval);

/// Pins the mean to `mean_bytes` (--sample BYTES; at least 1). Before threads exist.
void interval_fix(Interval* interval, uint64_t mean_bytes);

/// True for one caller every 20 ms of wall time, in the first 100 ms of CPU time every 1 ms; never when
/// the mean is fixed: read the totals and CLOCK_PROCESS_CPUTIME_ID and call interval_update. That clock
/// sums over all threads in the kernel, which is dear with thousands.
bool interval_poll_due(Interval* interval, uint64_t monotonic_ns);

/// Recomputes the mean when 100 ms of CPU time have passed since the last time, at first when the
/// process has had 1, 2, 4, ... ms; true when it did.
///
/// Units:  `allocated_bytes` since start, all threads; `live_bytes` now; `cpu_ns` of the clock that the
/// budget is a share of. Thread: any; of callers at the same time one does the work, the others return
/// at once. The first 100 ms may cost fifteen times the budget, the first 10 s five times. Source: mean
/// = clamp(max(rate * (cost + free_cost) * 5 / budget, live / kLiveSampleGoal), least, most): what the
/// clock sees of a sample is a fifth of its cost.
bool interval_update(Interval* interval, uint64_t allocated_bytes, uint64_t live_bytes,
                     uint64_t cpu_ns);

/// Feeds the measured cost of one sample (clock before and after, about every 16th sample). One slow
/// sample, preempted or cold, moves the average by three eighths at most. The free of a sampled block
/// is fed apart: by the time it comes, the sample's own cost has long been noted.
void interval_note_cost(Interval* interval, uint64_t cost_ns);
void interval_note_free_cost(Interval* interval, uint64_t cost_ns);

/// A thread's own generator; owner thread only; valid when zeroed (it seeds itself at its first draw).
struct Rng {
  uint64_t state;
};

/// Bytes until the next sample: subtract each block's usable size, and sample the block that brings the
/// countdown below zero. Exponential with this mean, rounded down: for whole sizes that leaves the
/// probability of being sampled exactly 1 - exp(-size / mean).
int64_t draw_countdown(Rng* rng, double mean_bytes);

/// What a sampled block stands for: size / (1 - exp(-size / mean)) bytes. At least `mean_bytes`.
double sample_weight_bytes(uint64_t usable_bytes, double mean_bytes);

/// -log(u) for 0 < u <= 1, within 1e-9 of itself. Not libm's, whose first call may resolve lazily
/// through the loader.
double minus_log(double u);

}  // namespace shim
