// SPDX-License-Identifier: Apache-2.0
//
// A look on one screen of 40 lines and 110 columns: the verdict first, then what it rests on, then what
// to do. And the same as JSON, schema offheap.host/1.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "host/look.h"

namespace offheap::host {

inline constexpr std::size_t kScreenLines = 40;
inline constexpr std::size_t kScreenColumns = 110;

struct ScreenOptions {
  bool colours = false;
  bool all = false;  ///< every cgroup, thread owner and note, on as many lines as it takes
};

/// The lines, each with its newline. Names that programs chose cannot steer the terminal.
std::string render_screen(const HostLook& look, const ScreenOptions& options);

/// Writes the JSON to `out` piece by piece.
void write_host_json(const HostLook& look, const std::function<void(std::string_view)>& out);

}  // namespace offheap::host
