// SPDX-License-Identifier: Apache-2.0
//
// Text in memory: runs of printable ASCII, and of the same as UTF-16 (what Java's char arrays hold),
// counted by what they say. Bounded: hostile memory can hold any number of different strings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/units.h"

namespace offheap {

enum class TextEncoding { kAscii, kUtf16 };

struct StringCount {
  std::string text;  ///< cut; printable ASCII only
  TextEncoding encoding = TextEncoding::kAscii;
  bool cut = false;  ///< the text went on, in at least one of them differently
  std::uint64_t count = 0;
  Bytes bytes = 0;  ///< all of them, uncut, as they lie in memory
};

struct StringTotals {
  std::uint64_t count = 0;
  Bytes bytes = 0;
};

class StringTally {
 public:
  /// `shortest` characters make a string; texts are told apart by their first `longest` characters.
  StringTally(std::size_t shortest, std::size_t longest) : shortest_(shortest), longest_(longest) {}

  /// Finds and counts the strings of `bytes`. A string that ends with `bytes` counts as far as it goes.
  void add(std::span<const std::byte> bytes);

  /// Those that take the most bytes among the most frequent, at most `limit`, most frequent first.
  [[nodiscard]] std::vector<StringCount> most_frequent(std::size_t limit) const;
  [[nodiscard]] StringTotals totals() const { return totals_; }

  /// True once rare strings had to be forgotten; counts of the others can be too low by `forgotten()`.
  [[nodiscard]] std::uint64_t forgotten() const { return forgotten_; }

 private:
  struct Entry {
    std::uint64_t count = 0;
    Bytes bytes = 0;
    bool cut = false;
  };
  void add_text(std::string_view text, TextEncoding encoding, std::size_t length);
  void find_ascii(std::span<const std::byte> bytes);
  void find_utf16(std::span<const std::byte> bytes, std::size_t first);
  void forget_rare();

  std::size_t shortest_;
  std::size_t longest_;
  std::unordered_map<std::string, Entry> entries_;  ///< key: one letter for the encoding, then the text
  StringTotals totals_;
  std::uint64_t forgotten_ = 0;
};

}  // namespace offheap
