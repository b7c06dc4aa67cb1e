// SPDX-License-Identifier: Apache-2.0
//
// 95 % intervals of weighted sums of samples.
#pragma once

namespace offheap {

struct Interval {
  double low = 0;
  double high = 0;
};

/// The gamma interval of a sum `estimate` with variance `variance`: Garwood's exact interval of a
/// Poisson count of n = estimate^2 / variance, scaled. Nothing sampled gives [0, 3.69 * unit], where
/// `unit` is what one sample stands for.
Interval gamma_interval(double estimate, double variance, double unit);

/// Upper 97.5 % bound where one more sample, had it been taken, would have stood for `unit`: more than
/// those that were taken when the mean has grown since (Fay and Feuer's bound for weighted counts).
double gamma_upper(double estimate, double variance, double unit);

/// The interval of a - b, from those of a and b, which are independent (method of variance estimates
/// recovery; keeps the skew that a normal interval would lose).
Interval difference_interval(double a, Interval of_a, double b, Interval of_b);

}  // namespace offheap
