// SPDX-License-Identifier: Apache-2.0
//
// How the figures of a comparison are written: the same number looks the same in text and picture.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ab/summary.h"

namespace offheap::ab {

/// A value of the metric `key` in its unit: "402.1 MiB", "1.23 s", "12.3 ms", "18,204/s", "1.07".
std::string format_value(std::string_view key, double value);

/// 0.49 -> "-51 %", 1.031 -> "+3.1 %", 5 -> "x5.0".
std::string format_change(double ratio);

/// "-53 % .. -48 %"
std::string format_changes(const Interval& interval);

/// "-51 % (-53 % .. -48 %)", "none detected (+-8 %)", "too few runs", ...
std::string format_ratio(const RatioSummary& ratio);

/// "5 done", "3 of 5 oom-killed", "1 of 5 signal, 2 of 5 timed-out".
std::string format_outcomes(const EntrySummary& entry);

/// What the runs of an entry say of their own figures, each remark once.
struct Remark {
  std::size_t entry = 0;
  std::string text;
  std::size_t run_count = 0;  ///< of the measured runs, how many say it
};
std::vector<Remark> remarks_of(const Comparison& comparison);

/// "RSS at end"; the key itself where it is no metric.
std::string title_of(std::string_view key);

/// Whether a detected difference is one to the better.
bool is_better(const RatioSummary& ratio);

}  // namespace offheap::ab
