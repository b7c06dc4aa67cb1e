// SPDX-License-Identifier: Apache-2.0
//
// What the files of rules share: each rule adds what it finds, and nothing when nothing is wrong.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "host/findings.h"

namespace offheap::host {

using Findings = std::vector<Finding>;

inline int percent(double share) { return static_cast<int>(share * 100 + 0.5); }

inline double share_of(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

inline std::string plural(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

// Of cgroups; in rules_group.cc.
void rule_hang(const HostLook& look, Findings& out);
void rule_loop(const HostLook& look, Findings& out);
void rule_at_limit(const HostLook& look, Findings& out);

}  // namespace offheap::host
