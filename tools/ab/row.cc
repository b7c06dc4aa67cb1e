// SPDX-License-Identifier: Apache-2.0
#include "ab/row.h"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace offheap::ab {
namespace {

struct NamedOutcome {
  Outcome outcome;
  std::string_view name;
};

constexpr std::array<NamedOutcome, 8> kOutcomes = {{{Outcome::kDone, "done"},
                                                    {Outcome::kExitStatus, "exit-status"},
                                                    {Outcome::kSignal, "signal"},
                                                    {Outcome::kOomKilled, "oom-killed"},
                                                    {Outcome::kTimedOut, "timed-out"},
                                                    {Outcome::kNotStarted, "not-started"},
                                                    {Outcome::kNotReady, "not-ready"},
                                                    {Outcome::kLoadFailed, "load-failed"}}};

Outcome outcome_named(const std::string& name) {
  const auto found =
      std::find_if(kOutcomes.begin(), kOutcomes.end(),
                   [&](const NamedOutcome& candidate) { return candidate.name == name; });
  if (found == kOutcomes.end()) throw std::invalid_argument("no outcome: " + name);
  return found->outcome;
}

/// A number that is whole and not negative: what is none is not rounded, which is undefined out of
/// range.
std::uint64_t whole(const Json& json) {
  if (!json.is_number_integer() || (!json.is_number_unsigned() && json.get<std::int64_t>() < 0))
    throw std::invalid_argument("no count: " + json.dump());
  return json.get<std::uint64_t>();
}

}  // namespace

std::string_view outcome_name(Outcome outcome) {
  return kOutcomes[static_cast<std::size_t>(outcome)].name;
}

const std::vector<Metric>& metrics() {
  static const std::vector<Metric> all = {
      {"wall_seconds", "wall", Better::kLower},
      {"cpu_seconds", "CPU", Better::kLower},  // user + sys, which are judged by their sum
      {"user_seconds", "user", Better::kNeither},
      {"system_seconds", "sys", Better::kNeither},
      {"throughput_per_second", "throughput", Better::kHigher},
      {"latency_mean_seconds", "latency mean", Better::kLower},
      {"latency_p50_seconds", "latency p50", Better::kLower},
      {"latency_p95_seconds", "latency p95", Better::kLower},
      {"latency_p99_seconds", "latency p99", Better::kLower},
      {"peak_rss_bytes", "RSS peak", Better::kLower},
      {"mean_rss_bytes", "RSS mean", Better::kLower},
      {"end_rss_bytes", "RSS at end", Better::kLower},
      {"tree_peak_rss_bytes", "tree RSS peak", Better::kLower},
      {"tree_mean_rss_bytes", "tree RSS mean", Better::kLower},
      {"live_bytes", "live at end", Better::kNeither},
      {"free_resident_bytes", "free, resident", Better::kLower},
      // A ratio of next to nothing can be any: what is free is judged by its bytes.
      {"fragmentation_ratio", "fragmentation", Better::kNeither},
      {"lock_wait_seconds", "lock waits", Better::kLower},
      {"futex_wait_seconds", "futex waits", Better::kNeither},
      {"minor_faults", "minor faults", Better::kLower},
      {"major_faults", "major faults", Better::kLower},
      {"voluntary_switches", "vol. switches", Better::kLower},
      {"involuntary_switches", "invol. switches", Better::kNeither},
  };
  return all;
}

Json to_json(const Row& row) {
  Json json{{"entry", row.entry},
            {"name", row.name},
            {"round", row.round},
            {"sequence", row.sequence},
            {"warm_up", row.warm_up},
            {"outcome", outcome_name(row.outcome)},
            {"code", row.code ? Json(*row.code) : Json(nullptr)},
            {"problem", row.problem},
            {"values", row.values},
            {"rss", Json::array()},
            {"notes", row.notes}};
  for (const RssPoint& point : row.rss) {
    json["rss"].push_back(Json::array({point.seconds, point.rss_bytes, point.tree_rss_bytes}));
  }
  return json;
}

Result<Row> row_from_json(const Json& json) {
  try {
    Row row;
    row.entry = whole(json.at("entry"));
    json.at("name").get_to(row.name);
    row.round = whole(json.at("round"));
    row.sequence = whole(json.at("sequence"));
    json.at("warm_up").get_to(row.warm_up);
    row.outcome = outcome_named(json.at("outcome").get<std::string>());
    if (!json.at("code").is_null()) row.code = static_cast<int>(whole(json.at("code")));
    json.at("problem").get_to(row.problem);
    json.at("values").get_to(row.values);
    for (const Json& point : json.at("rss")) {
      row.rss.push_back({point.at(0).get<double>(), whole(point.at(1)), whole(point.at(2))});
    }
    if (json.contains("notes")) json.at("notes").get_to(row.notes);
    return row;
  } catch (const std::exception& problem) {
    return Error{ErrorCode::kUsage, "not a row of offheap ab", problem.what(),
                 "name a file that offheap ab --rows wrote"};
  }
}

}  // namespace offheap::ab
