// SPDX-License-Identifier: Apache-2.0
#include "libshim/sampling/interval.h"

#include "libshim/sampling/atomics.h"

namespace shim {
namespace {

constexpr uint64_t kUpdateCpuNs = 100'000'000;
constexpr uint64_t kFirstUpdateCpuNs = 1'000'000;
constexpr uint64_t kPollNs = 20'000'000;
constexpr uint64_t kFirstPollNs = 1'000'000;
constexpr double kDefaultBudget = 0.01;
/// What a sample costs in all, of what the clock sees of it: the program finds its caches and branch
/// predictions displaced, and frees near a sample take the slow way. In a server that is most of it:
/// redis-server, its budget kept by the clock alone at 1 %, took 3.8 % more CPU than without sampling.
constexpr double kWholeCostFactor = 5;
/// A short run has too few samples for an estimate if it must keep the budget from the start, and one
/// that goes on does not notice what the start cost. So of the first 100 ms and the first 10 s of CPU
/// time this many times the budget: at the default one 410 ms more in all.
constexpr double kStartBudgetFactor = 15;
constexpr uint64_t kYoungCpuNs = 10'000'000'000;
constexpr double kYoungBudgetFactor = 5;
/// Until one is measured: a cold sample, so that the first update errs on the cheap side.
constexpr double kAssumedCostNs = 1500;
/// Smoothing of the rate: half of the weight lies in the last 0.7 CPU seconds, or in the latter half of
/// a shorter life.
constexpr double kRateMemoryNs = 1e9;
constexpr double kLn2 = 0.69314718055994530942;

double load_double(const double* word) {
  double value;
  __atomic_load(word, &value, __ATOMIC_RELAXED);
  return value;
}

void store_double(double* word, double value) { __atomic_store(word, &value, __ATOMIC_RELAXED); }

double clamp(double value, double low, double high) {
  return value < low ? low : value > high ? high : value;
}

double budget_factor(uint64_t cpu_ns) {
  return cpu_ns < kUpdateCpuNs ? kStartBudgetFactor : cpu_ns < kYoungCpuNs ? kYoungBudgetFactor : 1;
}

double budget_now(const Interval* interval) {
  const double budget = load_double(&interval->budget);
  return (budget > 0 ? budget : kDefaultBudget) * budget_factor(load_relaxed(&interval->cpu_ns));
}

double wanted_mean(const Interval* interval, double live_bytes) {
  const double cost = load_double(&interval->cost_ns);
  const double seen_cost = (cost > 0 ? cost : kAssumedCostNs) + load_double(&interval->free_cost_ns);
  const double whole_cost = seen_cost * kWholeCostFactor;
  const double by_cpu = load_double(&interval->rate) * whole_cost / budget_now(interval);
  const double by_table = live_bytes / kLiveSampleGoal;
  return clamp(by_cpu > by_table ? by_cpu : by_table, kLeastMeanBytes, kMostMeanBytes);
}

double smoothed_rate(const Interval* interval, double bytes, double last_ns, double cpu_ns) {
  const double seen = load_double(&interval->rate);
  const double memory_ns = last_ns < kRateMemoryNs ? last_ns : kRateMemoryNs;
  return seen + (bytes / cpu_ns - seen) * cpu_ns / (memory_ns + cpu_ns);
}

/// The first looks double the time that the process has had, so that a short run is not over before the
/// first of them.
uint64_t update_after_ns(uint64_t last_ns) {
  if (last_ns < kFirstUpdateCpuNs) return kFirstUpdateCpuNs;
  return last_ns < kUpdateCpuNs ? last_ns : kUpdateCpuNs;
}

void note_cost(double* smoothed_ns, uint64_t cost_ns) {
  const double seen = load_double(smoothed_ns);
  double cost = static_cast<double>(cost_ns);
  if (seen <= 0) {
    store_double(smoothed_ns, clamp(cost, 50, kAssumedCostNs));
    return;
  }
  if (cost > 4 * seen) cost = 4 * seen;
  store_double(smoothed_ns, seen + (cost - seen) / 8);
}

uint64_t next_random(Rng* rng) {
  uint64_t x = rng->state;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  rng->state = x;
  return x * 0x2545f4914f6cdd1du;
}

// The address tells threads apart, the time-stamp counter runs; splitmix's finaliser spreads both.
void seed(Rng* rng) {
  uint64_t x = reinterpret_cast<uint64_t>(rng) ^ (__builtin_ia32_rdtsc() * 0x9e3779b97f4a7c15u);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  x ^= x >> 31;
  rng->state = x != 0 ? x : 1;
}

// 1 - exp(-x) for 0 <= x. Halves x until the series is short, then undoes each halving exactly:
// 1 - exp(-2y) = p * (2 - p) with p = 1 - exp(-y). Keeps full relative precision near zero.
double one_minus_exp(double x) {
  uint32_t halvings = 0;
  while (x > 0.125) {
    x *= 0.5;
    halvings++;
  }
  double p = x * (1 - x / 2 * (1 - x / 3 * (1 - x / 4 * (1 - x / 5 * (1 - x / 6 * (1 - x / 7))))));
  while (halvings-- > 0) p *= 2 - p;
  return p;
}

}  // namespace

double minus_log(double u) {
  uint64_t bits = __builtin_bit_cast(uint64_t, u);
  // Split u = mantissa * 2^exponent with the mantissa in [sqrt(1/2), sqrt(2)): near 1 the exponent is 0
  // and nothing cancels.
  constexpr uint64_t kSqrtHalfBits = 0x3fe6a09e667f3bcdu;
  const int64_t exponent = static_cast<int64_t>(bits - kSqrtHalfBits) >> 52;
  bits -= static_cast<uint64_t>(exponent) << 52;
  const double mantissa = __builtin_bit_cast(double, bits);
  const double s = (mantissa - 1) / (mantissa + 1);
  const double q = s * s;
  const double series = 1 + q * (1.0 / 3 + q * (1.0 / 5 + q * (1.0 / 7 + q * (1.0 / 9 + q / 11))));
  return -static_cast<double>(exponent) * kLn2 - 2 * s * series;
}

double interval_mean(const Interval* interval) {
  const double mean = load_double(&interval->mean_bytes);
  return mean > 0 ? mean : kInitialMeanBytes;
}

void interval_fix(Interval* interval, uint64_t mean_bytes) {
  store_double(&interval->mean_bytes, mean_bytes > 0 ? static_cast<double>(mean_bytes) : 1.0);
  store_relaxed(&interval->fixed, 1u);
}

bool interval_poll_due(Interval* interval, uint64_t monotonic_ns) {
  if (load_relaxed(&interval->fixed) != 0) return false;
  const uint64_t due = load_relaxed(&interval->next_poll_ns);
  const uint64_t wait_ns = load_relaxed(&interval->cpu_ns) < kUpdateCpuNs ? kFirstPollNs : kPollNs;
  return monotonic_ns >= due && replace_if(&interval->next_poll_ns, due, monotonic_ns + wait_ns);
}

bool interval_update(Interval* interval, uint64_t allocated_bytes, uint64_t live_bytes,
                     uint64_t cpu_ns) {
  const uint64_t last_ns = load_relaxed(&interval->cpu_ns);
  // The clock of another life, as a forked child's own is, starts again below the last reading.
  const bool restarted = cpu_ns < last_ns;
  if (!restarted && cpu_ns - last_ns < update_after_ns(last_ns)) return false;
  // Taking the reading forward claims the update: nobody else is due for a while, and nobody who is
  // stopped here holds others up.
  if (!replace_if(&interval->cpu_ns, last_ns, cpu_ns)) return false;
  const uint64_t last_bytes = load_relaxed(&interval->allocated_bytes);
  store_relaxed(&interval->allocated_bytes, allocated_bytes);
  if (restarted || allocated_bytes < last_bytes) return false;
  const double bytes = static_cast<double>(allocated_bytes - last_bytes);
  store_double(&interval->rate, smoothed_rate(interval, bytes, static_cast<double>(last_ns),
                                              static_cast<double>(cpu_ns - last_ns)));
  store_double(&interval->mean_bytes, wanted_mean(interval, static_cast<double>(live_bytes)));
  return true;
}

void interval_note_cost(Interval* interval, uint64_t cost_ns) {
  note_cost(&interval->cost_ns, cost_ns);
}

void interval_note_free_cost(Interval* interval, uint64_t cost_ns) {
  note_cost(&interval->free_cost_ns, cost_ns);
}

int64_t draw_countdown(Rng* rng, double mean_bytes) {
  if (rng->state == 0) seed(rng);
  // 53 random bits and a half: never 0, never 1.
  const double u = (static_cast<double>(next_random(rng) >> 11) + 0.5) * 0x1p-53;
  return static_cast<int64_t>(minus_log(u) * mean_bytes);
}

double sample_weight_bytes(uint64_t usable_bytes, double mean_bytes) {
  const double size = static_cast<double>(usable_bytes);
  const double x = size / mean_bytes;
  if (x > 40) return size;
  // A block of no bytes cannot bring a countdown below zero; asked all the same, it is the limit.
  return x > 0 ? size / one_minus_exp(x) : mean_bytes;
}

}  // namespace shim
