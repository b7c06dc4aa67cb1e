// SPDX-License-Identifier: Apache-2.0
//
// Bytes and durations for people, in one place so that the same number always looks the same.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/units.h"

namespace offheap {

/// "0 B", "812 B", "4.0 KiB", "64.0 MiB"; three digits or so, IEC units.
inline std::string format_bytes(Bytes bytes) {
  constexpr std::array<std::string_view, 6> units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, units[unit]);
}

/// "+1.2 MiB/s", "-3.0 KiB/s"
inline std::string format_rate(double bytes_per_second) {
  return fmt::format("{}{}/s", bytes_per_second < 0 ? '-' : '+',
                     format_bytes(static_cast<Bytes>(std::abs(bytes_per_second))));
}

/// "0.3 s", "12 s", "4.5 min", "3.2 h"
inline std::string format_duration(std::uint64_t ns) {
  const double seconds = static_cast<double>(ns) / 1e9;
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.1f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

}  // namespace offheap
