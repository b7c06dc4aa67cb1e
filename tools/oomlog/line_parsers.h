// SPDX-License-Identifier: Apache-2.0
//
// Parsers of single shapes that line.cc tries in turn: each gives its line, or monostate.
#pragma once

#include <optional>
#include <string_view>

#include "oomlog/line.h"

namespace offheap {

/// A task table's head or one of its rows.
Line parse_table_line(std::string_view text, const std::optional<TableHeadLine>& columns);

Line parse_event(std::string_view text);
Line parse_selected(std::string_view text);
Line parse_killed(std::string_view text);
Line parse_group(std::string_view text);
Line parse_reaper(std::string_view text);

}  // namespace offheap
