// SPDX-License-Identifier: Apache-2.0
//
// Throughput and latency from what a load tool printed. Pure functions over text that may be anything.
#pragma once

#include <map>
#include <regex>
#include <string>
#include <string_view>

#include "base/result.h"

namespace offheap::ab {

enum class LoadFormat { kWrk, kRedisBenchmark, kPgbench, kRegex };

struct LoadParser {
  LoadFormat format = LoadFormat::kRegex;
  std::string key;  ///< kRegex: the metric, as a key of a row
  std::regex pattern;
};

/// A parser from its name: wrk, redis-benchmark, pgbench, or regex:NAME=PATTERN. NAME is throughput,
/// latency_mean, latency_p50, latency_p95 or latency_p99; the first group of PATTERN (ECMAScript)
/// is the number, with its unit if that is not 1 or seconds (us, ms, s, k, M), and the last line that
/// matches counts.
///
/// Errors: kUsage: no such parser or name, with those that are known; a pattern that is none.
Result<LoadParser> parse_load_parser(std::string_view text);

/// Keys and values for a row: throughput_per_second, latency_*_seconds. Empty when the text holds none.
///
/// redis-benchmark runs several tests: the throughput is that of all requests, the mean latency too,
/// and a percentile is the worst test's.
/// Source: the output of wrk 4.1, redis-benchmark 7.0 (plain, -q and --csv), pgbench 15.
std::map<std::string, double> parse_load_output(const LoadParser& parser, std::string_view text);

}  // namespace offheap::ab
