// SPDX-License-Identifier: Apache-2.0
//
// One text as the output of every load tool: figures are finite, not negative, and known metrics.
#include <algorithm>
#include <cmath>
#include <string_view>

#include "ab/load_output.h"
#include "ab/row.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const std::vector<offheap::ab::LoadParser> parsers = [] {
    std::vector<offheap::ab::LoadParser> all;
    for (const char* name : {"wrk", "redis-benchmark", "pgbench", "regex:throughput=rate: (\\S+)",
                             "regex:latency_p99=(?:99%|p99)[ =]*([0-9.]+ ?[a-z]*)"})
      all.push_back(*offheap::ab::parse_load_parser(name));
    return all;
  }();
  for (const auto& parser : parsers) {
    for (const auto& figure : offheap::ab::parse_load_output(parser, text)) {
      fuzz::require(std::isfinite(figure.second) && figure.second >= 0,
                    "a figure is finite and not negative");
      const auto& metrics = offheap::ab::metrics();
      fuzz::require(
          std::any_of(metrics.begin(), metrics.end(),
                      [&](const offheap::ab::Metric& metric) { return metric.key == figure.first; }),
          "a figure is a metric");
    }
  }
  return 0;
}
