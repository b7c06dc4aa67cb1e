// SPDX-License-Identifier: Apache-2.0
//
// A document into a file: whole or not at all, and its owner's only, since it says what a process
// holds.
#pragma once

#include <string>

#include "base/result.h"

namespace offheap {

/// Puts `text` at `path` by way of a new file beside it, of mode 0600, whose name nobody can have
/// foreseen. A regular file that is there is replaced; what is there and is none (a pipe, /dev/stdout)
/// is written to. The error says what the system said.
Result<std::string> write_file(const std::string& path, const std::string& text);

}  // namespace offheap
