// SPDX-License-Identifier: Apache-2.0
//
// All rows of one comparison, with the names of its entries and where the figures come from; and the
// rows file, one JSON document a line, in which a comparison is kept.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ab/row.h"

namespace offheap::ab {

/// entries[0] is the current one: what the others are compared with.
struct Comparison {
  std::vector<std::string> entries;
  std::vector<Row> rows;
  /// Free form. Keys that are used: "entries" [{"name", "environment": {name: value}}], "rows_file"
  /// (its path), "torn_lines" (set by read_rows()).
  Json provenance = Json::object();
};

/// The first line of a rows file, without the newline; every other line is a to_json(row).
std::string rows_header(const std::vector<std::string>& entries, const Json& provenance);

/// A comparison from the text of a rows file. A header is not needed: without one, entries are named by
/// their rows. A last line without its newline that is no row was cut off when the writer was killed:
/// it is left out, and counted in provenance["torn_lines"].
///
/// Errors: kUsage for any other damage, with the number of its line; for a file without any row.
Result<Comparison> read_rows(std::string_view text);

}  // namespace offheap::ab
