// SPDX-License-Identifier: Apache-2.0
#include "recording/interval.h"

#include <boost/math/special_functions/gamma.hpp>
#include <cmath>

namespace offheap {
namespace {

constexpr double kTail = 0.025;
constexpr double kNormalQuantile = 1.959964;
// Beyond this many effective samples the gamma quantile and the normal one agree to 0.1 % of the width.
constexpr double kNormalFrom = 1e5;

using Policy = boost::math::policies::policy<boost::math::policies::promote_double<false>>;

}  // namespace

Interval gamma_interval(double estimate, double variance, double unit) {
  static const double kUpperOfNone = boost::math::gamma_q_inv(1.0, kTail, Policy());  // 3.69
  if (estimate <= 0) return {0, kUpperOfNone * unit};
  if (variance <= 0) return {estimate, estimate};
  double count = estimate * estimate / variance;
  if (count > kNormalFrom) {
    double half = kNormalQuantile * std::sqrt(variance);
    return {estimate - half, estimate + half};
  }
  double scale = estimate / count;
  return {scale * boost::math::gamma_p_inv(count, kTail, Policy()),
          scale * boost::math::gamma_q_inv(count + 1, kTail, Policy())};
}

double gamma_upper(double estimate, double variance, double unit) {
  double shifted = estimate + unit;
  if (shifted <= 0) return 0;
  double spread = variance + unit * unit;
  double count = shifted * shifted / spread;
  if (count > kNormalFrom) return shifted + kNormalQuantile * std::sqrt(spread);
  return shifted / count * boost::math::gamma_q_inv(count, kTail, Policy());
}

Interval difference_interval(double a, Interval of_a, double b, Interval of_b) {
  return {a - b - std::hypot(a - of_a.low, of_b.high - b),
          a - b + std::hypot(of_a.high - a, b - of_b.low)};
}

}  // namespace offheap
