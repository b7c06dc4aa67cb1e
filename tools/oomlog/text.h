// SPDX-License-Identifier: Apache-2.0
//
// The few scanning steps that every reader of log lines shares. All work on views and allocate nothing.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace offheap {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

inline bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }

/// Cuts blanks and tabs off the front.
inline std::string_view skip_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  return text;
}

/// Cuts blanks, tabs and carriage returns off the end.
inline std::string_view trim_end(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

/// Takes `word` off the front of `text`.
inline bool eat(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

/// Takes a number off the front of `text`; a number that does not fit is none.
inline std::optional<std::int64_t> eat_number(std::string_view& text) {
  std::int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{}) return {};
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
  return value;
}

inline std::size_t count_digits(std::string_view text) {
  std::size_t count = 0;
  while (count < text.size() && is_digit(text[count])) ++count;
  return count;
}

/// The next run of characters that are no blanks, taken off the front.
inline std::string_view eat_token(std::string_view& text) {
  text = skip_blanks(text);
  const auto end = text.find_first_of(" \t");
  const std::string_view token = text.substr(0, end);
  text.remove_prefix(token.size());
  return token;
}

/// What stands before `separator`, or all of `text`.
inline std::string_view before(std::string_view text, std::string_view separator) {
  return text.substr(0, text.find(separator));
}

}  // namespace offheap
