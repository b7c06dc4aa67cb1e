// SPDX-License-Identifier: Apache-2.0
#include "ab/statistics.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>

namespace offheap::ab {
namespace {

constexpr std::size_t kResamples = 1000;
constexpr std::uint64_t kSeed = 0x0ffea9;
constexpr double kLargestLog = 700;  ///< exp() of more is no number

double safe_exp(double value) { return std::exp(std::clamp(value, -kLargestLog, kLargestLog)); }

Interval hull(const Interval& a, const Interval& b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high)};
}

}  // namespace

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return std::midpoint(*std::max_element(values.begin(), middle), *middle);
}

Interval bootstrap_interval(const std::vector<double>& values, double confidence) {
  std::mt19937_64 random(kSeed);
  std::vector<double> medians(kResamples);
  std::vector<double> drawn(values.size());
  for (double& one : medians) {
    for (double& value : drawn) value = values[random() % values.size()];
    one = median(drawn);
  }
  std::sort(medians.begin(), medians.end());
  const auto cut = static_cast<std::size_t>((1 - confidence) / 2 * static_cast<double>(kResamples));
  return {medians[cut], medians[kResamples - 1 - cut]};
}

Interval student_interval(const std::vector<double>& values, double confidence) {
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double error = std::sqrt(squares / (count - 1) / count);
  const boost::math::students_t_distribution<double> student(count - 1);
  const double half =
      error * boost::math::quantile(boost::math::complement(student, (1 - confidence) / 2));
  return {mean - half, mean + half};
}

Estimate estimate_median(const std::vector<double>& values, double confidence) {
  Estimate estimate{median(values), {}, values.size()};
  if (values.size() < kFewestRuns) return estimate;
  const bool positive =
      std::all_of(values.begin(), values.end(), [](double value) { return value > 0; });
  Interval student;
  if (positive) {
    std::vector<double> logs;
    logs.reserve(values.size());
    for (const double value : values) logs.push_back(std::log(value));
    student = student_interval(logs, confidence);
    student = {safe_exp(student.low), safe_exp(student.high)};
  } else {
    student = student_interval(values, confidence);
  }
  // Rounding in exp(log) must not leave the median outside where all values are equal.
  estimate.interval =
      hull(hull(student, bootstrap_interval(values, confidence)), {estimate.median, estimate.median});
  return estimate;
}

std::optional<double> PairedRatio::detectable() const {
  if (!interval) return {};
  return safe_exp((std::log(interval->high) - std::log(interval->low)) / 2);
}

PairedRatio paired_ratio(const std::vector<std::pair<double, double>>& pairs, double confidence) {
  std::vector<double> logs;
  logs.reserve(pairs.size());
  for (const auto& [first, other] : pairs) logs.push_back(std::log(other) - std::log(first));
  const double middle = median(logs);
  PairedRatio ratio{safe_exp(middle), {}, pairs.size()};
  if (pairs.size() < kFewestRuns) return ratio;
  const Interval interval = hull(student_interval(logs, confidence), {middle, middle});
  ratio.interval = Interval{safe_exp(interval.low), safe_exp(interval.high)};
  return ratio;
}

}  // namespace offheap::ab
