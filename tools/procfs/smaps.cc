// SPDX-License-Identifier: Apache-2.0
//
// The smaps parser: one pass over the text, no allocation but the result's own. A line is a header when
// its first word ends without a colon; everything else is "Key: value kB" and unknown keys are skipped.
// Source: kernel fs/proc/task_mmu.c (show_map_vma, __show_smap), fs/seq_file.c (mangle_path).
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "procfs/mapping.h"

namespace offheap {
namespace {

constexpr std::string_view kDeletedSuffix = " (deleted)";

/// Takes the first `separator`-ended word off `rest`; all of it when there is no separator.
std::string_view take_until(std::string_view& rest, char separator) {
  const auto end = rest.find(separator);
  const auto word = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return word;
}

std::string_view trim_spaces(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

bool parse_number(std::string_view word, int base, std::uint64_t& out) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out, base);
  return error == std::errc() && end == word.data() + word.size();
}

bool is_octal(char c) { return c >= '0' && c <= '7'; }

/// The kernel writes a newline in a file name as \012 and leaves every other byte alone.
std::string unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escaped = text[i] == '\\' && i + 3 < text.size() && text[i + 1] <= '3' &&
                         is_octal(text[i + 1]) && is_octal(text[i + 2]) && is_octal(text[i + 3]);
    if (!escaped) {
      out.push_back(text[i]);
      continue;
    }
    const int code = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
    out.push_back(static_cast<char>(code));
    i += 3;
  }
  return out;
}

bool parse_range(std::string_view word, Range& out) {
  const auto begin = take_until(word, '-');
  return parse_number(begin, 16, out.begin) && parse_number(word, 16, out.end) && out.begin < out.end &&
         out.begin % kPageBytes == 0 && out.end % kPageBytes == 0;
}

bool parse_permissions(std::string_view word, Mapping& out) {
  if (word.size() != 4) return false;
  out.readable = word[0] == 'r';
  out.writable = word[1] == 'w';
  out.executable = word[2] == 'x';
  out.shared = word[3] == 's';
  return true;
}

bool parse_device(std::string_view word, std::uint64_t& out) {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;
  const auto first = take_until(word, ':');
  if (!parse_number(first, 16, major) || !parse_number(word, 16, minor)) return false;
  out = major << 32 | (minor & 0xffffffffU);
  return true;
}

/// "begin-end perms offset major:minor inode   path", the path with spaces and all.
bool parse_header(std::string_view line, Mapping& out) {
  if (!parse_range(take_until(line, ' '), out.range)) return false;
  if (!parse_permissions(take_until(line, ' '), out)) return false;
  if (!parse_number(take_until(line, ' '), 16, out.file_offset)) return false;
  if (!parse_device(take_until(line, ' '), out.device)) return false;
  if (!parse_number(take_until(line, ' '), 10, out.inode)) return false;
  while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  out.deleted = line.ends_with(kDeletedSuffix);
  if (out.deleted) line.remove_suffix(kDeletedSuffix.size());
  out.path = unescape(line);
  return true;
}

/// A header's first word is "begin-end"; a key's is "Key:".
bool is_key_line(std::string_view line) {
  const auto word = line.substr(0, line.find(' '));
  return !word.empty() && word.back() == ':';
}

Bytes kib_to_bytes(std::uint64_t kib) {
  constexpr auto kMost = std::numeric_limits<Bytes>::max();
  return kib > kMost / 1024 ? kMost : kib * 1024;
}

void apply_key(std::string_view line, Mapping& mapping) {
  static constexpr std::array<std::pair<std::string_view, Bytes Mapping::*>, 7> kKeys{{
      {"Rss", &Mapping::rss_bytes},
      {"Pss", &Mapping::pss_bytes},
      {"Anonymous", &Mapping::anonymous_bytes},
      {"AnonHugePages", &Mapping::anon_huge_bytes},
      {"Private_Dirty", &Mapping::private_dirty_bytes},
      {"Referenced", &Mapping::referenced_bytes},
      {"Swap", &Mapping::swap_bytes},
  }};
  const auto key = take_until(line, ':');
  for (const auto& [name, field] : kKeys) {
    if (name != key) continue;
    line = trim_spaces(line);
    std::uint64_t kib = 0;
    if (parse_number(take_until(line, ' '), 10, kib)) mapping.*field = kib_to_bytes(kib);
  }
}

Error malformed(std::size_t line_number, std::string_view why) {
  return Error{ErrorCode::kUnreadable, std::string("malformed memory map: ").append(why),
               "smaps line " + std::to_string(line_number), ""};
}

}  // namespace

bool is_musl(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return name == "libc.so" || name.starts_with("ld-musl-");
}

Result<std::vector<Mapping>> parse_smaps(std::string_view text) {
  std::vector<Mapping> mappings;
  std::size_t line_number = 0;
  while (!text.empty()) {
    const auto line = take_until(text, '\n');
    ++line_number;
    if (line.empty()) continue;
    if (is_key_line(line)) {
      if (mappings.empty()) return malformed(line_number, "a key before the first mapping");
      apply_key(line, mappings.back());
      continue;
    }
    Mapping mapping;
    if (!parse_header(line, mapping)) return malformed(line_number, "this is no mapping");
    if (!mappings.empty() && mapping.range.begin < mappings.back().range.end)
      return malformed(line_number, "addresses do not ascend");
    mappings.push_back(std::move(mapping));
  }
  return mappings;
}

}  // namespace offheap
