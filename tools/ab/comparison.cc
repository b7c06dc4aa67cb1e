// SPDX-License-Identifier: Apache-2.0
#include "ab/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace offheap::ab {
namespace {

constexpr std::string_view kRowsSchema = "offheap.ab-rows/1";
constexpr std::size_t kMaxEntries = 256;  ///< more are damage: nobody compares so many

/// More than any machine has or any run takes, and small enough to compute with.
constexpr double kLargestFigure = 1e18;
constexpr Bytes kLargestBytes = Bytes{1} << 60;

bool is_figure(double value) { return value >= 0 && value <= kLargestFigure; }

Error damaged(std::size_t line, std::string what) {
  return {ErrorCode::kUsage, "not a rows file of offheap ab: " + std::move(what),
          fmt::format("line {}", line), "name a file that offheap ab --rows wrote"};
}

/// What is wrong with the header, if anything.
std::optional<std::string> take_header(const Json& header, Comparison& comparison) {
  const auto schema = header.find("schema");
  if (schema == header.end() || *schema != kRowsSchema)
    return fmt::format("its schema is not {}", kRowsSchema);
  const auto entries = header.find("entries");
  if (entries == header.end() || !entries->is_array() || entries->size() > kMaxEntries)
    return "the header has no list of entries";
  for (const Json& entry : *entries) {
    if (!entry.is_string()) return "an entry of the header is no name";
    comparison.entries.push_back(entry.get<std::string>());
  }
  if (header.contains("provenance") && header.at("provenance").is_object())
    comparison.provenance = header.at("provenance");
  return {};
}

std::optional<std::string> take_row(Row row, bool has_header, Comparison& comparison) {
  std::vector<std::string>& entries = comparison.entries;
  if (row.entry >= (has_header ? entries.size() : kMaxEntries))
    return fmt::format("there is no entry number {}", row.entry);
  for (const auto& [key, value] : row.values)
    if (!is_figure(value)) return fmt::format("{} is no figure: {}", key, value);
  for (const RssPoint& point : row.rss)
    if (!is_figure(point.seconds) || std::max(point.rss_bytes, point.tree_rss_bytes) > kLargestBytes)
      return "a point of its RSS is none";
  if (!has_header && row.entry >= entries.size()) entries.resize(row.entry + 1);
  std::string& name = entries[row.entry];
  if (!has_header && name.empty()) name = row.name;
  if (name != row.name)
    return fmt::format("entry {} is called \"{}\" here and \"{}\" before", row.entry, row.name, name);
  comparison.rows.push_back(std::move(row));
  return {};
}

/// One line into the comparison; what is wrong with it, if anything.
std::optional<std::string> take_line(std::string_view line, bool first, bool& has_header,
                                     Comparison& comparison) {
  const Json json = Json::parse(line, nullptr, false);
  if (json.is_discarded() || !json.is_object()) return "no JSON object";
  if (first && json.contains("schema")) {
    has_header = true;
    return take_header(json, comparison);
  }
  auto row = row_from_json(json);
  if (!row) return row.error().where;
  return take_row(std::move(*row), has_header, comparison);
}

}  // namespace

std::string rows_header(const std::vector<std::string>& entries, const Json& provenance) {
  const Json header{{"schema", kRowsSchema}, {"entries", entries}, {"provenance", provenance}};
  return header.dump(-1, ' ', true, Json::error_handler_t::replace);
}

Result<Comparison> read_rows(std::string_view text) {
  Comparison comparison;
  bool has_header = false;
  std::size_t torn_lines = 0;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const bool whole = end != std::string_view::npos;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(whole ? end + 1 : text.size());
    const auto problem = take_line(line, number == 1, has_header, comparison);
    if (!problem) continue;
    if (whole) return damaged(number, *problem);
    ++torn_lines;
  }
  if (comparison.rows.empty()) return damaged(1, "it holds no row");
  for (std::size_t i = 0; i < comparison.entries.size(); ++i) {
    if (!has_header && comparison.entries[i].empty())
      return damaged(1, fmt::format("entry {} has no row and there is no header", i));
  }
  if (torn_lines > 0) comparison.provenance["torn_lines"] = torn_lines;
  return comparison;
}

}  // namespace offheap::ab
