// SPDX-License-Identifier: Apache-2.0
//
// An environment of "NAME=value" lines through the shim's options. Complaints must fit their buffer,
// and figures their ranges; patterns are compared with a matcher of another kind. The line NAME= holds
// the program's name that OFFHEAP_ONLY is to match.
#include <algorithm>
#include <map>
#include <string>
#include <string_view>

#include "fuzz.h"
#include "libshim/options.h"

namespace {

using Environment = std::map<std::string, std::string, std::less<>>;
Environment environment;

const char* lookup(const char* name) {
  const auto found = environment.find(name);
  return found == environment.end() ? nullptr : found->second.c_str();
}

Environment read_environment(std::string_view text) {
  Environment read;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto equals = line.find('=');
    if (equals == std::string_view::npos || line.find('\0') != std::string_view::npos) continue;
    read.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return read;
}

/// One row a pattern character: which prefixes of `name` the pattern so far matches.
bool matches_by_table(std::string_view pattern, std::string_view name) {
  std::vector<bool> row(name.size() + 1, false);
  row[0] = true;
  for (char c : pattern) {
    std::vector<bool> next(row.size(), false);
    for (std::size_t i = 0; i < row.size(); ++i)
      next[i] = c == '*' ? row[i] || (i > 0 && next[i - 1]) : i > 0 && row[i - 1] && name[i - 1] == c;
    row = std::move(next);
  }
  return row.back();
}

bool any_matches_by_table(std::string_view patterns, std::string_view name) {
  while (!patterns.empty()) {
    const std::string_view pattern = patterns.substr(0, patterns.find(','));
    patterns.remove_prefix(std::min(patterns.size(), pattern.size() + 1));
    if (!pattern.empty() && matches_by_table(pattern, name)) return true;
  }
  return false;
}

void check_ranges(const shim::Options& options) {
  fuzz::require(options.sample_bytes <= std::uint64_t{1} << 40, "a sample's mean is in range");
  fuzz::require(options.budget_ppm >= 1 && options.budget_ppm <= 1'000'000, "a budget is a share");
  const auto& backend = options.backend;
  fuzz::require(backend.arena_max <= 65536, "arenas are in range");
  for (std::int64_t bytes : {backend.trim_threshold, backend.mmap_threshold, backend.tcache_count})
    fuzz::require(bytes <= std::int64_t{1} << 62, "a size is in range");
  for (const char* text : {options.record_directory, options.only, backend.backend})
    fuzz::require(text == nullptr || *text != 0, "a text is null or has something in it");
}

void check_patterns() {
  constexpr std::size_t kLongestName = 32;
  const char* patterns = lookup("OFFHEAP_ONLY");
  const char* given = lookup("NAME");
  if (patterns == nullptr || given == nullptr) return;
  const std::string name = std::string(given).substr(0, kLongestName);
  fuzz::require(shim::matches_any(patterns, name.c_str()) == any_matches_by_table(patterns, name),
                "both matchers agree");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  environment = read_environment({reinterpret_cast<const char*>(data), size});
  std::vector<char> complaint(1 + size % 300, 'x');  // its exact size, so that a sanitizer sees its end
  complaint[0] = 0;
  check_ranges(shim::parse_options(lookup, complaint.data(), complaint.size()));
  fuzz::require(std::memchr(complaint.data(), 0, complaint.size()) != nullptr, "complaints end");
  check_patterns();
  return 0;
}
