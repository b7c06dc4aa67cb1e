// SPDX-License-Identifier: Apache-2.0
//
// `offheap peek`: what a part of a process's memory holds. Reads resident pages only, and never writes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "glibc_heap/heap_report.h"
#include "peek/contents.h"
#include "peek/strings.h"

namespace offheap {

struct PeekOptions {
  std::optional<std::uint32_t> arena;  ///< exactly one of the three
  std::optional<std::uint32_t> site;   ///< by its place among the sites of `offheap explain`, from 0
  std::optional<Range> range;
  std::size_t string_limit = 20;
  ContentOptions content;
  Bytes sample_bytes = Bytes{64} << 20;  ///< at most so much is read, evenly spread
  std::uint64_t time_limit_ns = 5'000'000'000;
};

struct PeekClass {
  std::string name;  ///< demangled
  std::string module;
  std::uint64_t count = 0;  ///< pointers to its vtables that were met
};

/// Memory outside of the region that points into it.
struct PeekReferrer {
  std::string where;  ///< a mapping's name, "anonymous memory"
  std::uint64_t pointer_count = 0;
};

struct PeekReport {
  int pid = 0;
  std::string command;
  std::string region;  ///< "arena 3", "site 0: main < start", "range"
  std::vector<Range> ranges;
  Bytes region_bytes = 0;
  Bytes resident_bytes = 0;
  std::uint64_t block_count = 0;  ///< of a site: sampled blocks that are alive
  ContentTotals totals;           ///< of what was read; totals.bytes of resident_bytes
  StringTotals string_totals;
  std::vector<StringCount> strings;
  std::uint64_t strings_forgotten = 0;
  std::vector<PeekClass> classes;
  std::vector<PeekReferrer> referrers;                      ///< most first
  Bytes referrer_sample_bytes = 0;                          ///< read elsewhere in search of them
  Bytes referrer_resident_bytes = 0;                        ///< of so much
  std::map<Bytes, HeapReport::ClassTotal> blocks_by_chunk;  ///< in use or cached, of an arena
  std::vector<std::string> notes;
};

/// Looks into the process `pid`.
///
/// Errors: kUsage when there is no such arena or site, or the range is not mapped; kUnreadable as
///         take_look().
Result<PeekReport> peek_process(int pid, const PeekOptions& options);

/// "7f00dead0000-7f00deadf000", with or without 0x; nothing for anything else.
std::optional<Range> parse_range(std::string_view text);

}  // namespace offheap
