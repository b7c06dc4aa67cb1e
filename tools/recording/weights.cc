// SPDX-License-Identifier: Apache-2.0
#include "recording/weights.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace offheap {
namespace {

// Below this many samples a stratum's own factor would be noisier than what it corrects.
constexpr std::uint64_t kMinSamples = 12;
constexpr Bytes kLargeChunk = 64 * 1024;

/// The key of HeapReport::live_by_class for a block, from its usable size: a chunk of an arena is
/// usable + 8 and a multiple of 16; a chunk with a mapping of its own is usable + 16.
Bytes class_of(Bytes usable) {
  Bytes chunk = (usable + 8) % 16 == 0 ? usable + 8 : usable + 16;
  return chunk < kLargeChunk ? chunk : std::bit_ceil(chunk);
}

/// One size class before merging.
struct SizeClass {
  double exact_bytes = 0;
  double certain_bytes = 0;    ///< of samples that could not be missed
  double estimated_bytes = 0;  ///< of the others
  double variance = 0;
  std::uint64_t sample_count = 0;  ///< of the others
  std::uint32_t stratum = 0;
};

using SizeClasses = std::map<Bytes, SizeClass>;

void absorb(SizeClass* to, const SizeClass& from) {
  to->exact_bytes += from.exact_bytes;
  to->certain_bytes += from.certain_bytes;
  to->estimated_bytes += from.estimated_bytes;
  to->variance += from.variance;
  to->sample_count += from.sample_count;
}

/// Groups neighbouring classes; sets each one's stratum. The last group takes a short rest in.
std::vector<SizeClass> merge(SizeClasses* classes) {
  std::vector<SizeClass> groups;
  for (auto& [size, size_class] : *classes) {
    if (groups.empty() || groups.back().sample_count >= kMinSamples) groups.emplace_back();
    absorb(&groups.back(), size_class);
    size_class.stratum = static_cast<std::uint32_t>(groups.size() - 1);
  }
  if (groups.size() < 2 || groups.back().sample_count >= kMinSamples) return groups;
  auto last = static_cast<std::uint32_t>(groups.size() - 1);
  absorb(&groups[last - 1], groups[last]);
  groups.pop_back();
  for (auto& [size, size_class] : *classes)
    if (size_class.stratum == last) --size_class.stratum;
  return groups;
}

double inclusion_probability(const RecordedSample& sample) {
  if (sample.mean_bytes <= 0) return 1;
  return -std::expm1(-static_cast<double>(sample.usable_bytes) / sample.mean_bytes);
}

/// The sample's uncorrected weight and variance.
WeightedSample horvitz_thompson(const RecordedSample& sample) {
  double pi = inclusion_probability(sample);
  auto usable = static_cast<double>(sample.usable_bytes);
  if (1 - pi < kCertain) return {.weight = 1, .bytes = usable, .variance = 0};
  double bytes = usable / pi;
  return {.weight = 1 / pi, .bytes = bytes, .variance = bytes * bytes * (1 - pi)};
}

class Weigher {
 public:
  Weigher(const Snapshot& snapshot, const ExactTotals& totals) : snapshot_(snapshot), totals_(totals) {}

  Weights run() {
    for (const auto& [size, total] : totals_.live_by_class)
      classes_[size].exact_bytes = static_cast<double>(total.usable_bytes);
    if (!by_class() && totals_.live_bytes != 0)
      classes_[0].exact_bytes = static_cast<double>(totals_.live_bytes);
    for (const RecordedSample& sample : snapshot_.samples) add(sample);
    groups_ = merge(&classes_);
    for (const SizeClass& group : groups_) out_.strata.push_back(stratum_of(group));
    for (std::size_t i = 0; i < out_.samples.size(); ++i)
      correct(snapshot_.samples[i], &out_.samples[i]);
    return std::move(out_);
  }

 private:
  bool by_class() const { return !totals_.live_by_class.empty(); }
  SizeClass& class_for(const RecordedSample& sample) {
    return classes_[by_class() ? class_of(sample.usable_bytes) : 0];
  }

  void add(const RecordedSample& sample) {
    const WeightedSample& weighted = out_.samples.emplace_back(horvitz_thompson(sample));
    SizeClass& size_class = class_for(sample);
    if (weighted.variance == 0) {
      size_class.certain_bytes += weighted.bytes;
      return;
    }
    size_class.estimated_bytes += weighted.bytes;
    size_class.variance += weighted.variance;
    ++size_class.sample_count;
  }

  bool known() const { return by_class() || totals_.live_bytes != 0; }

  /// What a sample of the group stands for, on average.
  static double typical_unit(const SizeClass& group) {
    return group.estimated_bytes <= 0 ? 0 : group.variance / group.estimated_bytes;
  }

  /// What one more sample would stand for if it were taken now: the mean may have grown since the
  /// others.
  double unseen_unit(const SizeClass& group) const {
    // Exact totals of many classes bound it already: a coarse mean in each would count it many times.
    if (by_class() || group.estimated_bytes <= 0) return typical_unit(group);
    return std::max(typical_unit(group), static_cast<double>(snapshot_.sample_mean_bytes));
  }

  /// The factor that makes the uncertain samples fill what the certain ones leave of the exact total.
  /// Where the mean has grown, sites may hold much and have no sample: of what the samples fall short
  /// by, they then take part, all in proportion to their variances.
  double factor_of(const SizeClass& group) const {
    if (!known() || group.estimated_bytes <= 0) return 1;
    double wanted = std::max(0.0, group.exact_bytes - group.certain_bytes);
    double factor = wanted / group.estimated_bytes;
    if (factor <= 1) return factor;
    double unseen = unseen_unit(group) * unseen_unit(group) - typical_unit(group) * typical_unit(group);
    return 1 + (factor - 1) * group.variance / (group.variance + unseen);
  }

  Stratum stratum_of(const SizeClass& group) const {
    double factor = factor_of(group);
    return {.bytes = group.estimated_bytes * factor,
            .variance = group.variance * factor * factor,
            .corrected = known(),
            .unseen_unit = unseen_unit(group)};
  }

  void correct(const RecordedSample& sample, WeightedSample* weighted) {
    weighted->stratum = class_for(sample).stratum;
    if (weighted->variance == 0) return;
    double factor = factor_of(groups_[weighted->stratum]);
    weighted->weight *= factor;
    weighted->bytes *= factor;
    weighted->variance *= factor * factor;
  }

  const Snapshot& snapshot_;
  const ExactTotals& totals_;
  SizeClasses classes_;
  std::vector<SizeClass> groups_;
  Weights out_;
};

}  // namespace

Weights weigh_samples(const Snapshot& snapshot, const ExactTotals& totals) {
  return Weigher(snapshot, totals).run();
}

}  // namespace offheap
