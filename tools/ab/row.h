// SPDX-License-Identifier: Apache-2.0
//
// What one run of a comparison measured: the raw row, kept for good as one line of JSON. Everything
// that is said afterwards (intervals, ratios, pictures, advice) is computed from rows and nothing else.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace offheap::ab {

using Json = nlohmann::ordered_json;

/// How a run ended. Only kDone rows are compared; the others are reported as results of their own.
enum class Outcome {
  kDone,
  kExitStatus,  ///< the command ended with a status other than 0
  kSignal,      ///< a signal ended it
  kOomKilled,   ///< the kernel did, at the memory limit
  kTimedOut,    ///< stopped by us at --timeout
  kNotStarted,  ///< it, its load or its probe could not be executed
  kNotReady,    ///< the server never answered its probe
  kLoadFailed,  ///< the load ended with a status other than 0, or its output held no figure
};

std::string_view outcome_name(Outcome outcome);

/// Which way a metric is better; kNeither is shown, never judged.
enum class Better { kLower, kHigher, kNeither };

/// A column: its key in rows and JSON carries the unit.
struct Metric {
  std::string_view key;    ///< "end_rss_bytes"
  std::string_view title;  ///< "RSS at end"
  Better better = Better::kLower;
};

/// Every metric that a run can have, in the order of the tables. A row without a key did not measure
/// it.
const std::vector<Metric>& metrics();

struct RssPoint {
  double seconds = 0;  ///< since the command was started
  Bytes rss_bytes = 0;
  Bytes tree_rss_bytes = 0;  ///< with its descendants
};

struct Row {
  std::size_t entry = 0;  ///< index into the entries that were asked for
  std::string name;       ///< of the entry: "glibc:arena_max=2"
  std::size_t round = 0;  ///< rows of the same round are a pair
  std::size_t sequence = 0;
  bool warm_up = false;  ///< not counted
  Outcome outcome = Outcome::kDone;
  std::optional<int> code;  ///< exit status or signal number
  std::string
      problem;  ///< in words, when the outcome is not kDone: what, and the last lines of its stderr
  std::map<std::string, double> values;
  std::vector<RssPoint> rss;
  std::vector<std::string> notes;  ///< why a value is absent, or is not what one would expect
};

Json to_json(const Row& row);

/// Errors: kUsage when `json` is no row, naming what is missing.
Result<Row> row_from_json(const Json& json);

}  // namespace offheap::ab
