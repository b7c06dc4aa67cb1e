// SPDX-License-Identifier: Apache-2.0
//
// A page of text being written: headings, indented wrapped lines, colours that may be off.
#pragma once

#include <string>
#include <string_view>

namespace offheap {

class Page {
 public:
  explicit Page(bool colour, std::size_t columns) : colour_(colour), columns_(columns) {}

  void heading(std::string_view text);
  void line(std::string_view text);  ///< as it is, with colours from bold() or red() or without
  void blank() { text_ += '\n'; }
  /// Sanitised, wrapped at blanks; the first line starts with `prefix`, the next are as far indented.
  void wrapped(std::string_view prefix, std::string_view text);

  [[nodiscard]] std::string bold(std::string_view text) const { return painted("1", text); }
  [[nodiscard]] std::string red(std::string_view text) const { return painted("1;31", text); }
  [[nodiscard]] std::string green(std::string_view text) const { return painted("1;32", text); }
  [[nodiscard]] std::string dim(std::string_view text) const { return painted("2", text); }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  [[nodiscard]] std::string painted(std::string_view code, std::string_view text) const;

  bool colour_;
  std::size_t columns_;
  std::string text_;
};

/// 1234567 -> "1,234,567"
std::string with_commas(std::uint64_t value);

}  // namespace offheap
