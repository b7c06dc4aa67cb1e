// SPDX-License-Identifier: Apache-2.0
//
// Several logs as one: in the order of time, each kill once, kills of the same container as one loop.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "oomlog/reader.h"
#include "oomlog/report.h"

namespace offheap {

/// One who died, and the report that says why.
struct OomKill {
  std::size_t report = 0;  ///< position in OomSummary::reports
  std::size_t victim = 0;
};

/// Three or more kills of the same container, pod or cgroup, ten minutes apart or less.
struct OomLoop {
  std::string key;                 ///< container id, pod uid or cgroup path
  std::string what;                ///< "container", "pod" or "cgroup"
  std::vector<std::size_t> kills;  ///< positions in OomSummary::kills, in order of time
  std::int64_t span_us = 0;
  std::int64_t median_gap_us = 0;  ///< also the median life of a victim's successor
  bool ids_change = false;         ///< the container was made anew each time
};

struct OomSummary {
  std::vector<OomReport> reports;  ///< in the order of time where the logs have times
  std::vector<OomKill> kills;
  std::vector<OomLoop> loops;
  OomNotes notes;
  std::uint64_t duplicates = 0;  ///< kills that a second log told again
  std::uint64_t unlisted_reports = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> sources;
};

OomSummary summarise(std::vector<LogContents> logs);

/// The word of the contract for whose memory ran out: "memcg", "global", "cpuset", "mempolicy"; empty =
/// the log does not say.
std::string constraint_word(const OomReport& report);

/// Microseconds of a line, by the kernel's clock or else by wall time; nothing without either.
std::optional<std::int64_t> order_us(const LogTime& time);

}  // namespace offheap
