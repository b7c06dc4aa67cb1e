// SPDX-License-Identifier: Apache-2.0
//
// Names that the target chose, made fit for a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace offheap {

/// `text` without anything that a terminal would obey: control characters (C0, DEL, and C1 also when
/// written as UTF-8), escape sequences' introducers, bidirectional overrides and bytes that are no
/// UTF-8 become '?'. Longer text is cut to `limit_bytes` and ends in "...".
std::string sanitize_for_terminal(std::string_view text, std::size_t limit_bytes = 4096);

}  // namespace offheap
