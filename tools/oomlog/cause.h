// SPDX-License-Identifier: Apache-2.0
//
// Why the memory ran out: rules on the report's own figures, each with its arithmetic and the line it
// stands on. The first rule that holds decides; `undecided` when none does.
#pragma once

#include <string>
#include <vector>

#include "base/units.h"
#include "oomlog/report.h"

namespace offheap {

struct OomCause {
  std::string kind;      ///< "heap", "tmpfs", "kernel-memory", "page-cache", "manual", ...
  std::string summary;   ///< a sentence with its numbers
  std::string evidence;  ///< which lines of the report say it
  std::string remedy;
  Bytes bytes = 0;                 ///< of that kind
  double share = 0;                ///< of the usage, or of the machine's memory
  std::vector<std::string> notes;  ///< what else a reader should know: whose limit, who asked
};

OomCause judge_oom(const OomReport& report, const OomVictim& victim);

}  // namespace offheap
