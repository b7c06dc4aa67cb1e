// SPDX-License-Identifier: Apache-2.0
//
// Which container a name, an id or the beginning of an id means. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cgroup/charge.h"

namespace offheap {

/// A container that may be meant.
struct NamedContainer {
  Container container;
  std::vector<std::string> names;  ///< Docker's, and its hostname
  std::string group;               ///< cgroup path of its processes; empty when none run
  std::string state;               ///< Docker's word for it; empty when Docker does not know it
};

/// The position of the one that `text` means: by whole id, then by name, then by beginning of an id.
///
/// Errors: kUsage with the candidates when several or none are meant; `looked_at` says in what.
Result<std::size_t> match_container(std::string_view text,
                                    const std::vector<NamedContainer>& containers,
                                    const std::string& looked_at);

struct MainProcess {
  int pid = 0;
  std::string why;
};

/// The first process of a group, or the one that holds more than half of what all have for themselves.
/// `processes` is not empty.
MainProcess choose_main_process(const std::vector<ProcessUse>& processes);

}  // namespace offheap
