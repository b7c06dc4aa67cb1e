// SPDX-License-Identifier: Apache-2.0
#include "ab/setting.h"

#include <fmt/format.h>

#include "render/sanitise.h"

namespace offheap::ab {
namespace {

/// The text in double quotes, as a Dockerfile and a shell read it.
std::string double_quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : sanitise(text)) {
    if (c == '"' || c == '\\' || c == '$' || c == '`') result += '\\';
    result += c;
  }
  return result + '"';
}

/// The provenance of the entry called `name`; null where it has none.
const Json* entry_provenance(const Json& provenance, const std::string& name) {
  const auto entries = provenance.find("entries");
  if (entries == provenance.end() || !entries->is_array()) return nullptr;
  for (const Json& entry : *entries)
    if (entry.is_object() && entry.contains("name") && entry.at("name") == name) return &entry;
  return nullptr;
}

}  // namespace

std::vector<std::string> setting_lines(const Comparison& comparison, std::size_t entry) {
  const std::string& name = comparison.entries[entry];
  const Json* found = entry_provenance(comparison.provenance, name);
  if (found == nullptr || !found->contains("environment") || !found->at("environment").is_object())
    return {fmt::format("# the environment of {}; the rows file does not say it", sanitise(name))};
  std::vector<std::string> lines;
  for (const auto& [variable, value] : found->at("environment").items())
    if (value.is_string())
      lines.push_back(
          fmt::format("ENV {}={}", sanitise(variable), double_quoted(value.get<std::string>())));
  return lines;
}

std::string verify_command(const Comparison& comparison) {
  const auto file = comparison.provenance.find("rows_file");
  const bool known = file != comparison.provenance.end() && file->is_string();
  return "offheap ab --verify " +
         (known ? double_quoted(file->get<std::string>()) : std::string("ROWS"));
}

}  // namespace offheap::ab
