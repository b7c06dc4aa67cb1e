// SPDX-License-Identifier: Apache-2.0
#include "recording/estimate.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "recording/growth.h"
#include "recording/interval.h"
#include "recording/weights.h"

namespace offheap {
namespace {

// A mean this much above what a site's samples stand for has grown since they were taken.
constexpr double kGrownMean = 1.25;

// Where no other site has a sample, what others hold is bounded by 3.69 units, not by 1.96: the bound
// of a Poisson count of which nothing was seen, put into a variance.
constexpr double kUnseenOnlyVariance = (3.69 / 1.96) * (3.69 / 1.96);
constexpr double kNothingSeen = 1e-9;  // of the variance: rounding

/// Sums over one site's samples in one stratum.
struct StratumShare {
  double bytes = 0;
  double variance = 0;
};

/// Variance of a site's share of a stratum whose total is known: the residuals of the ratio estimator,
/// (1 - R)^2 of its own samples and R^2 of all others. One more sample of another site is assumed, as
/// large as one taken now would be: without it a stratum with only this site in it would claim no
/// error.
double corrected_variance(const StratumShare& own, const Stratum& stratum, bool alone) {
  if (stratum.bytes <= 0 || stratum.variance <= 0) return 0;
  double unit = stratum.unseen_unit;
  double share = own.bytes / (stratum.bytes + unit);
  double seen = std::max(0.0, stratum.variance - own.variance);
  double unseen =
      unit * unit * (alone && seen < kNothingSeen * stratum.variance ? kUnseenOnlyVariance : 1);
  double others = seen + unseen;
  return (1 - share) * (1 - share) * own.variance + share * share * others;
}

/// The inclusion probability that went into a weight: variance = bytes^2 (1 - pi).
double probability(const WeightedSample& sample) {
  constexpr double kLeast = 1e-12;  // what rounding leaves of less
  return sample.bytes > 0 ? std::max(kLeast, 1 - sample.variance / (sample.bytes * sample.bytes)) : 1;
}

/// Gathers one site's samples, given in stratum order.
class SiteSum {
 public:
  SiteSum(const Snapshot& snapshot, const Weights& weights) : snapshot_(snapshot), weights_(weights) {}

  void add(std::uint32_t index) {
    const RecordedSample& sample = snapshot_.samples[index];
    const WeightedSample& weighted = weights_.samples[index];
    if (weighted.stratum != stratum_) close_stratum();
    stratum_ = weighted.stratum;
    share_.bytes += weighted.variance == 0 ? 0 : weighted.bytes;
    share_.variance += weighted.variance;
    uncorrected_ += weighted.variance;
    live_ += weighted.bytes;
    requested_ += static_cast<double>(sample.requested_bytes) * weighted.weight;
    count_ += weighted.weight;
    plain_ += static_cast<double>(sample.usable_bytes) / probability(weighted);
    seen_ += sample.usable_bytes;
    ++sample_count_;
    births_.add(sample.born_ns, weighted.bytes, weighted.variance);
  }

  SiteEstimate finish(std::uint32_t site) {
    close_stratum();
    SiteEstimate out;
    out.site = site;
    Interval interval = gamma_interval(live_, variance_, 0);
    out.live_bytes = rounded(live_);
    // The correction credits a site with blocks of others that have no sample; where next to everything
    // of the site is sampled, the plain estimate is the better one, and outside of so narrow an
    // interval.
    double low = std::min(interval.low, plain_);
    double high = std::max({interval.high, plain_, upper_bound()});
    out.live_bytes_low = std::min(out.live_bytes, std::max(rounded(low), seen_));
    out.live_bytes_high = std::max(out.live_bytes, rounded(high));
    out.requested_bytes = rounded(requested_);
    out.live_count = rounded(count_);
    out.sample_count = sample_count_;
    births_.finish(&out);
    return out;
  }

  void observe(std::uint64_t start_ns, std::uint64_t taken_ns) {
    births_ = BirthSum(start_ns, taken_ns);
  }

 private:
  void close_stratum() {
    if (stratum_ != kNoStratum) {
      const Stratum& stratum = weights_.strata[stratum_];
      variance_ += stratum.corrected ? corrected_variance(share_, stratum, weights_.strata.size() == 1)
                                     : share_.variance;
    }
    share_ = {};
  }

  /// The site's own blocks without a sample are as coarsely sampled as those of any other site.
  double upper_bound() const {
    double typical = live_ > 0 ? uncorrected_ / live_ : 0;
    auto mean = static_cast<double>(snapshot_.sample_mean_bytes);
    return mean > kGrownMean * typical && uncorrected_ > 0 ? gamma_upper(live_, uncorrected_, mean) : 0;
  }

  static constexpr std::uint32_t kNoStratum = 0xffffffff;
  const Snapshot& snapshot_;
  const Weights& weights_;
  BirthSum births_;
  StratumShare share_;
  std::uint32_t stratum_ = kNoStratum;
  double live_ = 0, plain_ = 0, requested_ = 0, count_ = 0, variance_ = 0, uncorrected_ = 0;
  Bytes seen_ = 0;  // these are alive for certain: no interval begins below
  std::uint64_t sample_count_ = 0;
};

std::vector<std::uint32_t> by_site_and_stratum(const Snapshot& snapshot, const Weights& weights) {
  std::vector<std::uint32_t> order(snapshot.samples.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    std::uint32_t site_a = snapshot.samples[a].site;
    std::uint32_t site_b = snapshot.samples[b].site;
    if (site_a != site_b) return site_a < site_b;
    return weights.samples[a].stratum < weights.samples[b].stratum;
  });
  return order;
}

void append_sampled(const Snapshot& snapshot, const ExactTotals& totals,
                    std::vector<SiteEstimate>* out) {
  Weights weights = weigh_samples(snapshot, totals);
  std::vector<std::uint32_t> order = by_site_and_stratum(snapshot, weights);
  for (std::size_t i = 0; i < order.size();) {
    std::uint32_t site = snapshot.samples[order[i]].site;
    SiteSum sum(snapshot, weights);
    sum.observe(snapshot.start_time_ns, snapshot.taken_time_ns);
    for (; i < order.size() && snapshot.samples[order[i]].site == site; ++i) sum.add(order[i]);
    out->push_back(sum.finish(site));
  }
}

/// Mappings are counted, not sampled: their intervals are points.
void append_mappings(const Snapshot& snapshot, std::vector<SiteEstimate>* out) {
  std::map<std::uint32_t, std::pair<SiteEstimate, BirthSum>> sites;
  for (const RecordedMapping& mapping : snapshot.mappings) {
    auto [found, fresh] = sites.try_emplace(mapping.site);
    auto& [estimate, births] = found->second;
    if (fresh) births = BirthSum(snapshot.start_time_ns, snapshot.taken_time_ns);
    estimate.live_bytes += mapping.range.size();
    ++estimate.live_count;
    births.add(mapping.born_ns, static_cast<double>(mapping.range.size()), 0);
  }
  for (auto& [site, entry] : sites) {
    auto& [estimate, births] = entry;
    estimate.site = site;
    estimate.exact = true;
    estimate.live_bytes_low = estimate.live_bytes_high = estimate.requested_bytes = estimate.live_bytes;
    births.finish(&estimate);
    out->push_back(std::move(estimate));
  }
}

bool within_two_percent(Bytes a, Bytes b) {
  Bytes distance = a > b ? a - b : b - a;
  constexpr Bytes kAlwaysTolerated = 64 * 1024;
  return distance <= std::max(kAlwaysTolerated, std::max(a, b) / 50);
}

}  // namespace

ExactTotals exact_totals(const Snapshot& snapshot, const HeapReport* heap) {
  ExactTotals totals;
  // What was allocated before is freed too: the counters are then no measure of what is alive.
  if (begins_late(snapshot) || snapshot.allocated_bytes <= snapshot.freed_bytes) return totals;
  totals.live_bytes = snapshot.allocated_bytes - snapshot.freed_bytes;
  if (!heap || heap->estimate) return totals;
  Bytes heap_bytes = 0;
  for (const auto& [size, total] : heap->live_by_class) heap_bytes += total.usable_bytes;
  if (within_two_percent(heap_bytes, totals.live_bytes)) totals.live_by_class = heap->live_by_class;
  return totals;
}

std::vector<SiteEstimate> estimate_sites(const Snapshot& snapshot, const ExactTotals& totals) {
  std::vector<SiteEstimate> estimates;
  append_sampled(snapshot, totals, &estimates);
  append_mappings(snapshot, &estimates);
  std::sort(estimates.begin(), estimates.end(), [](const SiteEstimate& a, const SiteEstimate& b) {
    return a.live_bytes != b.live_bytes ? a.live_bytes > b.live_bytes : a.site < b.site;
  });
  return estimates;
}

}  // namespace offheap
