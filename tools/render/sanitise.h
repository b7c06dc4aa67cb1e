// SPDX-License-Identifier: Apache-2.0
//
// Names that a target chose (commands, threads, files, symbols) must not drive the reader's terminal.
#pragma once

#include <string>
#include <string_view>

namespace offheap {

/// `text` with control characters, C1 controls and broken UTF-8 written as \xNN, cut to `columns` code
/// points (0 = uncut) with "..." in place of what was cut from the middle.
std::string sanitise(std::string_view text, std::size_t columns = 0);

/// Code points of a sanitised text: its width, for all scripts that are one column a character.
std::size_t width_of(std::string_view text);

}  // namespace offheap
