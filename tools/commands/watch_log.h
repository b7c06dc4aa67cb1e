// SPDX-License-Identifier: Apache-2.0
//
// The agent's own log: one line an event on stderr, where systemd or Docker keeps it.
#pragma once

#include <cstdint>
#include <string_view>

namespace offheap {

/// One line, sanitised, with the time in UTC before it.
void watch_log(std::string_view text);

/// CLOCK_REALTIME in nanoseconds.
std::uint64_t realtime_ns();

}  // namespace offheap
