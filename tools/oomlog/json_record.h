// SPDX-License-Identifier: Apache-2.0
//
// Kernel lines wrapped in JSON: the journal's, a container runtime's, a log shipper's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace offheap {

/// The log line that a JSON object on one line holds, with its time before it. Nothing for another
/// program's message, or when it is no such object.
std::optional<std::string> line_of_json(std::string_view json);

/// "2026-11-28T12:45:14.123456Z" of microseconds since 1970.
std::string wall_of_us(std::int64_t us);

}  // namespace offheap
