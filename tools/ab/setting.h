// SPDX-License-Identifier: Apache-2.0
//
// How an entry is put into use: the lines of a Dockerfile, and the command that checks it afterwards.
#pragma once

#include <string>
#include <vector>

#include "ab/comparison.h"

namespace offheap::ab {

/// "ENV NAME=\"value\"", a line a variable of the entry's environment in the provenance, in its order;
/// where it has none, a comment that says so.
std::vector<std::string> setting_lines(const Comparison& comparison, std::size_t entry);

/// The command line that runs the chosen entry against the current one again.
std::string verify_command(const Comparison& comparison);

}  // namespace offheap::ab
