// SPDX-License-Identifier: Apache-2.0
//
// One kill put together: what the kernel said, the latest snapshots, the dead process's recording, and
// what follows from them. Schema "offheap.incident/1". Pure; all parts are documents that may come from
// a store, where a damaged or foreign file costs its part and never more.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "render/json.h"
#include "watch/threshold.h"

namespace offheap {

/// The one that died. 0 or empty = not known.
struct IncidentVictim {
  int pid = 0;            ///< as the host counts
  int namespace_pid = 0;  ///< as its container counts
  std::uint64_t start_ticks = 0;
  std::string command;
  std::string known_by;  ///< "the kernel's report", "it ended when the kernel counted a kill"
};

struct IncidentParts {
  std::uint64_t time_ns = 0;  ///< CLOCK_REALTIME of the kill
  std::string boot_id;
  std::string group;               ///< cgroup path, as the kernel logs it
  Json container = Json(nullptr);  ///< container_json()
  Bytes limit_bytes = 0;           ///< 0 = no limit of its own, or not known
  Bytes usage_bytes = 0;           ///< highest that was seen, at most the limit's
  IncidentVictim victim;
  Json kernel_report = Json(nullptr);  ///< a kill of schema offheap.oom/1
  std::string kernel_report_missing;   ///< why there is none
  std::vector<Json> snapshots;         ///< schema offheap.watch-snapshot/1, oldest first
  Json recording = Json(nullptr);      ///< schema offheap.explain/1, of the recording as it was left
  std::string recording_missing;
  std::vector<UsagePoint> timeline;
  std::vector<std::string> notes;
};

/// Kills of one group at most this far apart are one incident: a loop.
inline constexpr std::uint64_t kLoopGap_ns = 600'000'000'000;

/// Errors: never fails; a part that does not fit is left out and noted.
Json make_incident(IncidentParts parts);

/// Whether a kill at `time_ns` belongs to `incident`.
bool is_same_loop(const Json& incident, std::uint64_t time_ns);

/// Whether `incident` tells of this kill already: an agent that was ended between writing an incident
/// and noting that it had.
bool has_kill(const Json& incident, std::uint64_t time_ns, int pid);

/// The incident `earlier` with one more kill, described by `latest`: its evidence stands in place of
/// the earlier kill's, unless it has none. The first kills and the latest are listed, all are counted.
Json add_kill(const Json& earlier, const Json& latest);

/// Whether a document has what an incident must have. What reads further may rely on it.
bool is_incident(const Json& document);

/// The row of a list: id, time, container, limit, victim, verdict and its bytes, kills.
Json incident_row(const Json& incident, const std::string& id);

/// A stored document. Numbers are cut to what a double holds exactly, and times, which need more, to a
/// quarter of their type's range, so that sums and differences cannot overflow.
///
/// Errors: kIncompatible when it is no JSON object, or nested deeper than any of ours.
Result<Json> parse_document(std::string_view text);

/// What grew from the first to the last of the incident's snapshots that has the victim, schema
/// offheap.diff/1; null with less than two.
Json growth_of(const Json& incident);

// Reading a document that anybody may have written: another type is as if the key were missing.
std::string text_at(const Json& object, const char* key);
std::int64_t number_at(const Json& object, const char* key);
const Json& member(const Json& object, const char* key);  ///< null when missing

}  // namespace offheap
