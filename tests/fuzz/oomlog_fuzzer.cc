// SPDX-License-Identifier: Apache-2.0
//
// One text as a log, in two sizes of pieces: the same kills, whose figures all stand in the text.
#include <string>

#include "../unit/oomlog_reports.h"
#include "fuzz.h"
#include "oomlog/cause.h"
#include "oomlog/container.h"

namespace {

bool stands_in(std::string_view text, const std::optional<std::int64_t>& number) {
  return !number || text.find(std::to_string(*number)) != std::string_view::npos ||
         // written with zeros before it
         text.find('0') != std::string_view::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto whole = offheap::summary_of(text);
  for (const auto& kill : whole.kills) {
    const auto& report = whole.reports[kill.report];
    const auto& victim = report.victims[kill.victim];
    fuzz::require(victim.pid || victim.source == offheap::VictimSource::kLimit, "a victim has a pid");
    fuzz::require(text.front() == '_' || text.find('{') != text.npos || stands_in(text, victim.pid),
                  "a pid from the log");
    fuzz::require(stands_in(text, victim.anon_rss_kb), "a size from the log");
    fuzz::require(report.biggest.size() <= offheap::OomReport::kBiggest, "a bounded table");
    const auto cause = offheap::judge_oom(report, victim);
    fuzz::require(!cause.kind.empty() && !cause.summary.empty(), "a cause has words");
    (void)offheap::owner_of_group(report.task_memcg);
  }
  std::vector<offheap::LogContents> pieces;
  pieces.push_back(offheap::read_text(text, 29));
  const auto again = offheap::summarise(std::move(pieces));
  fuzz::require(again.kills.size() == whole.kills.size(), "pieces of a log are that log");
  return 0;
}
