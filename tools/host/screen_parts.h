// SPDX-License-Identifier: Apache-2.0
//
// The parts of the screen, each a few lines made from a look, and the steps that all of them share.
// Names that programs chose pass through fit(), add_wrapped() or padded(), which make them harmless.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/findings.h"
#include "host/screen.h"

namespace offheap::host {

inline constexpr std::size_t kLabelColumns = 8;
inline constexpr std::size_t kEverything = 100'000;

/// The lines of one part of the screen. When the screen is full the part with most lines above `least`
/// gives one up.
struct Section {
  std::vector<std::string> lines;
  std::size_t least = 1;
  std::size_t hidden = 0;  ///< rows that are not among the lines
  std::string_view rows;   ///< what a hidden row is
};

Section title_part(const HostLook& look);
Section verdict_part(const std::vector<Finding>& findings, bool all);
Section host_part(const HostLook& look);
Section limits_part(const HostLook& look, bool all);
Section stuck_part(const HostLook& look, bool all);
Section zombies_part(const HostLook& look, bool all);
Section threads_part(const HostLook& look, bool all);
Section tree_part(const HostLook& look, const std::vector<Finding>& findings);
Section kills_part(const HostLook& look, bool all);
Section fork_part(const HostLook& look, bool all);
Section next_part(const std::vector<Finding>& findings, bool all);
Section notes_part(const HostLook& look, bool all);

/// `text` made harmless and cut to `columns`.
std::string fit(std::string_view text, std::size_t columns = kScreenColumns);

/// As many lines as it takes, at most `most`; the first begins with `prefix`, the others are indented.
void add_wrapped(std::vector<std::string>& lines, std::string_view prefix, std::string_view text,
                 std::size_t most);

/// A cell of exactly `columns`.
std::string padded(std::string_view text, std::size_t columns);

/// A cgroup's or container's label, short enough to stand within a line.
std::string short_label(const HostLook& look, std::uint32_t group);

/// "1.2G", "512M", "96K".
std::string short_bytes(Bytes bytes);

std::string or_dash(std::optional<std::uint64_t> value);

}  // namespace offheap::host
