// SPDX-License-Identifier: Apache-2.0
//
// Incidents for people, in 100 columns. Names in them were chosen by the victims, and are sanitised.
#pragma once

#include <string>
#include <vector>

#include "render/json.h"
#include "render/text.h"

namespace offheap {

/// `rows` of incident_row(), oldest first; `dropped`: files that the store's bound took.
std::string render_incident_list(const std::vector<Json>& rows, std::uint64_t dropped,
                                 const TextOptions& options);

/// One in full. `incident` is_incident().
std::string render_incident(const Json& incident, const std::string& id, const TextOptions& options);

/// "2026-11-28 13:15:02" in UTC.
std::string utc_text(std::int64_t realtime_ns);

}  // namespace offheap
