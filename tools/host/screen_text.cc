// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "base/format.h"
#include "host/screen_parts.h"
#include "render/page.h"
#include "render/sanitise.h"

namespace offheap::host {

std::string fit(std::string_view text, std::size_t columns) {
  std::string line = sanitise(text);
  if (width_of(line) <= columns) return line;
  std::size_t width = 0;
  std::size_t at = 0;
  while (at < line.size()) {
    const bool starts = (static_cast<unsigned char>(line[at]) & 0xc0) != 0x80;
    if (starts && width == columns - 3) break;
    width += starts ? 1 : 0;
    ++at;
  }
  return line.substr(0, at) + "...";
}

/// As many lines as it takes, at most `most`; the first begins with `prefix`, the others are indented.
void add_wrapped(std::vector<std::string>& lines, std::string_view prefix, std::string_view text,
                 std::size_t most) {
  std::string rest = sanitise(text);
  std::string line(prefix);
  const std::string indent(width_of(prefix), ' ');
  for (std::size_t i = 0; i < most; ++i) {
    const std::size_t room = kScreenColumns - width_of(line);
    if (width_of(rest) <= room || i + 1 == most) {
      lines.push_back(fit(line + rest, kScreenColumns));
      return;
    }
    auto end = rest.rfind(' ', room);
    if (end == std::string::npos || end == 0) end = std::min(room, rest.size());
    lines.push_back(line + rest.substr(0, end));
    rest.erase(0, end + (end < rest.size() && rest[end] == ' ' ? 1 : 0));
    line = indent;
  }
}

std::string padded(std::string_view text, std::size_t columns) {
  std::string cell = sanitise(text, columns);
  cell.append(columns - std::min(columns, width_of(cell)), ' ');
  return cell;
}

std::string short_label(const HostLook& look, std::uint32_t group) {
  return sanitise(group_label(look, group), 28);
}

std::string short_bytes(Bytes bytes) {
  constexpr std::string_view kUnits = "BKMGTP";
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f}{}", value, unit > 0 && value < 9.95 ? 1 : 0, kUnits[unit]);
}

std::string or_dash(std::optional<std::uint64_t> value) { return value ? with_commas(*value) : "-"; }

}  // namespace offheap::host
