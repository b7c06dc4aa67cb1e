// SPDX-License-Identifier: Apache-2.0
#include "watch/incident.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/format.h"
#include "render/diff.h"
#include "verdict/verdict.h"

namespace offheap {
namespace {

constexpr const char* kSchema = "offheap.incident/1";
constexpr std::size_t kKillsListed = 40;
/// A cause with less of the limit is not why it was reached.
constexpr double kCauseShare = 0.25;

bool is_decisive(const std::string& kind) {
  return !kind.empty() && kind != "healthy" && kind != "undecided" && kind != "limit-too-small";
}

/// A process of a snapshot that has an explanation; null when none fits. `pid` 0 = any.
const Json& explanation_in(const Json& snapshot, const IncidentVictim& victim) {
  for (const Json& process : member(snapshot, "processes")) {
    if (number_at(process, "pid") != victim.pid) continue;
    if (victim.start_ticks != 0 &&
        number_at(process, "start_ticks") != static_cast<std::int64_t>(victim.start_ticks))
      continue;
    const Json& explanation = member(process, "explanation");
    if (explanation.is_object()) return explanation;
  }
  static const Json none;
  return none;
}

struct Candidate {
  Json verdict;
  std::string source;
};

void add_verdicts(const Json& explanation, const std::string& source, std::vector<Candidate>& found) {
  for (const Json& verdict : member(explanation, "verdicts"))
    if (is_decisive(text_at(verdict, "kind"))) found.push_back({verdict, source});
}

std::string when_of(const Json& snapshot) {
  const auto level = number_at(snapshot, "level_percent");
  return fmt::format("the snapshot at {} % of the limit", level);
}

/// Every verdict that names a cause: the victim's own first, then the recording's, then what the other
/// processes of the group say of it.
std::vector<Candidate> candidates_of(const IncidentParts& parts) {
  std::vector<Candidate> found;
  for (auto snapshot = parts.snapshots.rbegin(); snapshot != parts.snapshots.rend(); ++snapshot)
    add_verdicts(explanation_in(*snapshot, parts.victim), when_of(*snapshot), found);
  add_verdicts(parts.recording, "the recording of the dead process", found);
  if (!parts.snapshots.empty()) {
    const Json& latest = parts.snapshots.back();
    for (const Json& process : member(latest, "processes"))
      if (number_at(process, "pid") != parts.victim.pid)
        add_verdicts(member(process, "explanation"), when_of(latest), found);
  }
  return found;
}

Json verdict_of_kernel(const Json& report) {
  const Json& cause = member(report, "cause");
  const std::string kind = text_at(cause, "kind");
  const bool known = verdict_by_name(kind).has_value() && is_decisive(kind);
  Json verdict{{"kind", known ? kind : "undecided"},
               {"bytes", std::max<std::int64_t>(0, number_at(cause, "bytes"))},
               {"confidence", known ? 0.6 : 0.0},
               {"summary", text_at(cause, "summary")},
               {"remedy", text_at(cause, "remedy")},
               {"evidence", Json::array()},
               {"source", "the kernel's report"}};
  if (text_at(verdict, "summary").empty())
    verdict["summary"] = "there is neither a snapshot nor a recording that names a cause";
  return verdict;
}

Json choose_verdict(const IncidentParts& parts) {
  std::vector<Candidate> found = candidates_of(parts);
  const double least = kCauseShare * static_cast<double>(parts.limit_bytes);
  std::stable_partition(found.begin(), found.end(), [least](const Candidate& one) {
    return static_cast<double>(number_at(one.verdict, "bytes")) >= least;
  });
  const bool large =
      !found.empty() && static_cast<double>(number_at(found.front().verdict, "bytes")) >= least;
  Json kernel = verdict_of_kernel(parts.kernel_report);
  if (large || (!found.empty() && text_at(kernel, "kind") == "undecided")) {
    Json verdict = found.front().verdict;
    verdict["source"] = found.front().source;
    return verdict;
  }
  return kernel;
}

Json kill_of(const IncidentParts& parts) {
  auto or_null = [](auto value) { return value == 0 ? Json(nullptr) : Json(value); };
  Json kill{{"time_ns", parts.time_ns}, {"pid", or_null(parts.victim.pid)}};
  kill["namespace_pid"] = or_null(parts.victim.namespace_pid);
  kill["start_ticks"] = or_null(parts.victim.start_ticks);
  kill["name"] = parts.victim.command;
  kill["known_by"] = parts.victim.known_by;
  for (const char* key : {"anon_rss_kb", "file_rss_kb", "shmem_rss_kb"})
    kill[key] = member(parts.kernel_report, key);
  return kill;
}

constexpr std::int64_t kLargestExact = std::int64_t{1} << 53;
constexpr std::int64_t kLargestTime = std::int64_t{1} << 62;
constexpr int kDeepest = 64;

/// Numbers are cut to `most`, those of keys that name a time to more. False when it is nested too deep.
bool cut_numbers(Json& json, std::int64_t most, int depth) {
  if (depth > kDeepest) return false;
  if (json.is_number_unsigned()) {
    if (json.get<std::uint64_t>() > static_cast<std::uint64_t>(most)) json = most;
  } else if (json.is_number_integer()) {
    json = std::clamp(json.get<std::int64_t>(), -most, most);
  } else if (json.is_object()) {
    for (auto child = json.begin(); child != json.end(); ++child) {
      const bool is_time = child.key().ends_with("time_ns");
      if (!cut_numbers(*child, is_time ? kLargestTime : kLargestExact, depth + 1)) return false;
    }
  } else if (json.is_array()) {
    for (Json& child : json)
      if (!cut_numbers(child, kLargestExact, depth + 1)) return false;
  }
  return true;
}

Json timeline_json(const std::vector<UsagePoint>& points) {
  Json rows = Json::array();
  for (const UsagePoint& point : points)
    rows.push_back({{"time_ns", point.time_ns}, {"usage_bytes", point.usage_bytes}});
  return rows;
}

Json loop_of(const Json& kills, std::int64_t count) {
  if (count < 2 || kills.empty()) return nullptr;
  const std::int64_t span = number_at(kills.back(), "time_ns") - number_at(kills.front(), "time_ns");
  return {{"kills", count}, {"span_ns", span}, {"period_ns", span / (count - 1)}};
}

}  // namespace

const Json& member(const Json& object, const char* key) {
  static const Json none;
  if (!object.is_object()) return none;
  const auto found = object.find(key);
  return found == object.end() ? none : *found;
}

std::string text_at(const Json& object, const char* key) {
  const Json& value = member(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::int64_t number_at(const Json& object, const char* key) {
  const Json& value = member(object, key);
  if (value.is_number_unsigned()) {
    constexpr std::uint64_t kLargest = std::uint64_t{1} << 62;
    return static_cast<std::int64_t>(std::min(value.get<std::uint64_t>(), kLargest));
  }
  return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

Json make_incident(IncidentParts parts) {
  Json incident{{"schema", kSchema}, {"time_ns", parts.time_ns}, {"boot_id", parts.boot_id}};
  incident["container"] = parts.container;
  incident["group"] = parts.group;
  incident["limit_bytes"] = parts.limit_bytes == 0 ? Json(nullptr) : Json(parts.limit_bytes);
  incident["usage_bytes"] = parts.usage_bytes;
  incident["victim"] = kill_of(parts);
  incident["verdict"] = choose_verdict(parts);
  incident["kills"] = Json::array({incident["victim"]});
  incident["kill_count"] = 1;
  incident["loop"] = nullptr;
  incident["kernel_report"] = parts.kernel_report;
  auto or_null = [](const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); };
  incident["kernel_report_missing"] = or_null(parts.kernel_report_missing);
  incident["timeline"] = timeline_json(parts.timeline);
  incident["recording"] = parts.recording;
  incident["recording_missing"] = or_null(parts.recording_missing);
  incident["snapshots"] = std::move(parts.snapshots);
  incident["growth"] = growth_of(incident);
  incident["notes"] = parts.notes;
  return incident;
}

Json growth_of(const Json& incident) {
  const Json& dead = member(incident, "victim");
  IncidentVictim victim;
  victim.pid = static_cast<int>(number_at(dead, "pid"));
  victim.start_ticks = static_cast<std::uint64_t>(number_at(dead, "start_ticks"));
  const Json* first = nullptr;
  const Json* last = nullptr;
  for (const Json& snapshot : member(incident, "snapshots")) {
    const Json& explanation = explanation_in(snapshot, victim);
    if (!explanation.is_object()) continue;
    if (!first) first = &explanation;
    last = &explanation;
  }
  if (!first || first == last) return nullptr;
  const auto diff = diff_json(*first, *last);
  return diff ? *diff : Json(nullptr);
}

Result<Json> parse_document(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_object() && cut_numbers(json, kLargestExact, 0)) return json;
  return Error{ErrorCode::kIncompatible, "this is no document of a store", "",
               "it is damaged: remove it"};
}

bool is_same_loop(const Json& incident, std::uint64_t time_ns) {
  if (!is_incident(incident)) return false;
  const auto last = static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, number_at(member(incident, "kills").back(), "time_ns")));
  const std::uint64_t gap = time_ns > last ? time_ns - last : last - time_ns;
  return gap <= kLoopGap_ns;
}

bool has_kill(const Json& incident, std::uint64_t time_ns, int pid) {
  constexpr std::int64_t kSame_ns = 2'000'000'000;
  for (const Json& kill : member(incident, "kills")) {
    const auto apart = number_at(kill, "time_ns") - static_cast<std::int64_t>(time_ns);
    if (number_at(kill, "pid") == pid && std::abs(apart) < kSame_ns) return true;
  }
  return false;
}

Json add_kill(const Json& earlier, const Json& latest) {
  Json merged = latest;
  merged["time_ns"] = member(earlier, "time_ns");
  Json kills = earlier["kills"];
  kills.insert(kills.end(), latest["kills"].begin(), latest["kills"].end());
  // The first half stays, the latest take turns in the other.
  while (kills.size() > kKillsListed) kills.erase(kills.begin() + kKillsListed / 2);
  const std::int64_t count =
      std::max<std::int64_t>(1, number_at(earlier, "kill_count")) + number_at(latest, "kill_count");
  merged["kill_count"] = count;
  merged["loop"] = loop_of(kills, count);
  merged["kills"] = std::move(kills);
  if (member(latest, "container").is_null()) merged["container"] = member(earlier, "container");
  if (member(latest, "limit_bytes").is_null()) merged["limit_bytes"] = member(earlier, "limit_bytes");
  const bool bare = member(latest, "snapshots").empty() && member(latest, "recording").is_null();
  if (!bare) return merged;
  for (const char* key :
       {"snapshots", "growth", "recording", "recording_missing", "verdict", "timeline"})
    merged[key] = member(earlier, key);
  merged["notes"].push_back(
      "the evidence is of an earlier kill of this loop: the latest came before anything could be read");
  return merged;
}

bool is_incident(const Json& document) {
  if (text_at(document, "schema") != kSchema) return false;
  const Json& kills = member(document, "kills");
  return kills.is_array() && !kills.empty() && member(document, "verdict").is_object() &&
         member(document, "victim").is_object() && member(document, "notes").is_array();
}

Json incident_row(const Json& incident, const std::string& id) {
  const Json& victim = member(incident, "victim");
  const Json& verdict = member(incident, "verdict");
  Json row{{"id", id}, {"time_ns", member(incident, "time_ns")}};
  row["container"] = member(incident, "container");
  row["group"] = member(incident, "group");
  row["limit_bytes"] = member(incident, "limit_bytes");
  row["victim"] = {{"pid", member(victim, "pid")}, {"name", member(victim, "name")}};
  row["verdict"] = {{"kind", member(verdict, "kind")}, {"bytes", member(verdict, "bytes")}};
  row["kill_count"] = member(incident, "kill_count");
  return row;
}

}  // namespace offheap
