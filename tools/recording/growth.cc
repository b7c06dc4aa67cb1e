// SPDX-License-Identifier: Apache-2.0
#include "recording/growth.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "recording/interval.h"
#include "recording/weights.h"

namespace offheap {
namespace {

constexpr double kNsPerSecond = 1e9;
// Of a shorter history a window would hold little but start-up.
constexpr std::uint64_t kShortestObservationNs = 2'000'000'000;
// Variance of a median of few, relative to that of the mean (pi / 2, from normal theory).
constexpr double kMedianVariance = 1.5708;

double median_of_middle(const std::array<double, kBirthWindows>& bytes) {
  std::array<double, kBirthWindows - 2> middle{};
  std::copy(bytes.begin() + 1, bytes.end() - 1, middle.begin());
  std::sort(middle.begin(), middle.end());
  std::size_t half = middle.size() / 2;
  return (middle[half - 1] + middle[half]) / 2;
}

}  // namespace

std::uint32_t BirthSum::window_of(std::uint64_t born_ns) const {
  if (taken_ns_ <= start_ns_ || born_ns <= start_ns_) return 0;
  double share = static_cast<double>(born_ns - start_ns_) / static_cast<double>(taken_ns_ - start_ns_);
  return std::min(kBirthWindows - 1, static_cast<std::uint32_t>(std::min(share, 1.0) * kBirthWindows));
}

void BirthSum::add(std::uint64_t born_ns, double bytes, double variance) {
  std::uint32_t window = window_of(born_ns);
  bytes_[window] += bytes;
  largest_unit_ = std::max(largest_unit_, bytes);
  if (window == 0 || window == kBirthWindows - 1) return;
  middle_bytes_ += bytes;
  middle_variance_ += variance;
}

void BirthSum::finish(SiteEstimate* out) const {
  out->born_by_window.reserve(kBirthWindows);
  for (double bytes : bytes_) out->born_by_window.push_back(rounded(bytes));
  // Subtracted, not added: a hostile start may stand at the end of time.
  if (taken_ns_ <= start_ns_ || taken_ns_ - start_ns_ < kShortestObservationNs) return;
  double window_seconds = static_cast<double>(taken_ns_ - start_ns_) / kNsPerSecond / kBirthWindows;
  double middle_seconds = window_seconds * (kBirthWindows - 2);
  Interval middle =
      gamma_interval(middle_bytes_, middle_variance_ * kMedianVariance, out->exact ? 0 : largest_unit_);
  out->growth_source = GrowthSource::kBirthTimes;
  out->growth_bytes_per_second = median_of_middle(bytes_) / window_seconds;
  // The median may lie outside the interval of the mean, when bytes came in steps.
  out->growth_low = std::min(middle.low / middle_seconds, out->growth_bytes_per_second);
  out->growth_high = std::max(middle.high / middle_seconds, out->growth_bytes_per_second);
}

namespace {

/// Bytes that came to a site, or went, between two looks.
struct Change {
  double bytes = 0;
  double variance = 0;

  void add(const WeightedSample& sample) {
    bytes += sample.bytes;
    variance += sample.variance;
  }
};

struct SiteChange {
  Change came;
  Change went;
  double unit = 0;  ///< most that one of the samples stands for
};

using SampleKey = std::tuple<Address, std::uint64_t, Bytes>;

SampleKey key_of(const RecordedSample& sample) {
  return {sample.address, sample.born_ns, sample.usable_bytes};
}

std::vector<SampleKey> sorted_keys(const Snapshot& snapshot) {
  std::vector<SampleKey> keys;
  keys.reserve(snapshot.samples.size());
  for (const RecordedSample& sample : snapshot.samples) keys.push_back(key_of(sample));
  std::sort(keys.begin(), keys.end());
  return keys;
}

bool contains(const std::vector<SampleKey>& keys, const RecordedSample& sample) {
  return std::binary_search(keys.begin(), keys.end(), key_of(sample));
}

/// For each site of `before` its index in `after`, by its frames: the reader numbers sites by what
/// stands before them in the table.
std::vector<std::uint32_t> site_translation(const Snapshot& before, const Snapshot& after) {
  using Key = std::pair<std::vector<Address>, std::vector<RecordedJavaFrame>>;
  auto key_of_site = [](const RecordedSite& site) { return Key(site.frames, site.java_frames); };
  std::map<Key, std::uint32_t> by_frames;
  for (std::uint32_t i = 0; i < after.sites.size(); ++i)
    by_frames.emplace(key_of_site(after.sites[i]), i);
  std::vector<std::uint32_t> translation;
  for (const RecordedSite& site : before.sites) {
    auto found = by_frames.find(key_of_site(site));
    translation.push_back(found == by_frames.end() ? recording::kNoSite : found->second);
  }
  return translation;
}

std::uint32_t translated(const std::vector<std::uint32_t>& translation, std::uint32_t site) {
  return site < translation.size() ? translation[site] : recording::kNoSite;
}

using SiteChanges = std::map<std::uint32_t, SiteChange>;

SiteChanges sampled_changes(const Snapshot& before, const ExactTotals& before_totals,
                            const Snapshot& after, const ExactTotals& after_totals,
                            const std::vector<std::uint32_t>& translation) {
  SiteChanges changes;
  std::vector<SampleKey> old_keys = sorted_keys(before);
  std::vector<SampleKey> new_keys = sorted_keys(after);
  Weights old_weights = weigh_samples(before, before_totals);
  Weights new_weights = weigh_samples(after, after_totals);
  for (std::size_t i = 0; i < after.samples.size(); ++i) {
    SiteChange& change = changes[after.samples[i].site];
    change.unit = std::max(change.unit, new_weights.samples[i].bytes);
    if (!contains(old_keys, after.samples[i])) change.came.add(new_weights.samples[i]);
  }
  for (std::size_t i = 0; i < before.samples.size(); ++i) {
    SiteChange& change = changes[translated(translation, before.samples[i].site)];
    change.unit = std::max(change.unit, old_weights.samples[i].bytes);
    if (!contains(new_keys, before.samples[i])) change.went.add(old_weights.samples[i]);
  }
  return changes;
}

void set_sampled_growth(const SiteChange& change, double seconds, SiteEstimate* out) {
  Interval came = gamma_interval(change.came.bytes, change.came.variance, change.unit);
  Interval went = gamma_interval(change.went.bytes, change.went.variance, change.unit);
  Interval growth = difference_interval(change.came.bytes, came, change.went.bytes, went);
  out->growth_source = GrowthSource::kTwoLooks;
  out->growth_bytes_per_second = (change.came.bytes - change.went.bytes) / seconds;
  out->growth_low = growth.low / seconds;
  out->growth_high = growth.high / seconds;
}

std::map<std::uint32_t, double> mapped_before(const Snapshot& before,
                                              const std::vector<std::uint32_t>& translation) {
  std::map<std::uint32_t, double> bytes;
  for (const RecordedMapping& mapping : before.mappings)
    bytes[translated(translation, mapping.site)] += static_cast<double>(mapping.range.size());
  return bytes;
}

void set_exact_growth(double before_bytes, double seconds, SiteEstimate* out) {
  out->growth_source = GrowthSource::kTwoLooks;
  out->growth_bytes_per_second = (static_cast<double>(out->live_bytes) - before_bytes) / seconds;
  out->growth_low = out->growth_high = out->growth_bytes_per_second;
}

SiteEstimate vanished(std::uint32_t site, bool exact) {
  SiteEstimate estimate;
  estimate.site = site;
  estimate.exact = exact;
  estimate.born_by_window.assign(kBirthWindows, 0);
  return estimate;
}

}  // namespace

std::vector<SiteEstimate> estimate_growth(const Snapshot& before, const ExactTotals& before_totals,
                                          const Snapshot& after, const ExactTotals& after_totals) {
  std::vector<SiteEstimate> estimates = estimate_sites(after, after_totals);
  bool same_process = before.pid == after.pid && before.start_time_ns == after.start_time_ns;
  if (!same_process || after.taken_time_ns <= before.taken_time_ns) return estimates;
  double seconds = static_cast<double>(after.taken_time_ns - before.taken_time_ns) / kNsPerSecond;
  std::vector<std::uint32_t> translation = site_translation(before, after);
  SiteChanges changes = sampled_changes(before, before_totals, after, after_totals, translation);
  std::map<std::uint32_t, double> mapped = mapped_before(before, translation);
  for (SiteEstimate& estimate : estimates) {
    if (estimate.exact) {
      set_exact_growth(mapped[estimate.site], seconds, &estimate);
      mapped.erase(estimate.site);
    } else {
      set_sampled_growth(changes[estimate.site], seconds, &estimate);
      changes.erase(estimate.site);
    }
  }
  for (const auto& [site, change] : changes)
    set_sampled_growth(change, seconds, &estimates.emplace_back(vanished(site, false)));
  for (const auto& [site, bytes] : mapped)
    set_exact_growth(bytes, seconds, &estimates.emplace_back(vanished(site, true)));
  return estimates;
}

}  // namespace offheap
