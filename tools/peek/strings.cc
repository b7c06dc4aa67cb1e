// SPDX-License-Identifier: Apache-2.0
#include "peek/strings.h"

#include <algorithm>

namespace offheap {
namespace {

constexpr std::size_t kEntryLimit = 50'000;
constexpr char kAsciiKey = 'a';
constexpr char kUtf16Key = 'u';

bool is_printable(std::byte byte) {
  const auto c = std::to_integer<unsigned char>(byte);
  return (c >= 0x20 && c < 0x7f) || c == '\t';
}

}  // namespace

void StringTally::add(std::span<const std::byte> bytes) {
  find_ascii(bytes);
  // Aligned to two, as every char array is; the bytes themselves begin at an even address or not.
  find_utf16(bytes, 0);
}

void StringTally::find_ascii(std::span<const std::byte> bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    std::size_t end = at;
    while (end < bytes.size() && is_printable(bytes[end])) ++end;
    if (end - at >= shortest_) {
      const auto* text = reinterpret_cast<const char*>(bytes.data() + at);
      add_text({text, std::min(end - at, longest_)}, TextEncoding::kAscii, end - at);
    }
    at = end + 1;
  }
}

void StringTally::find_utf16(std::span<const std::byte> bytes, std::size_t first) {
  std::string text;
  for (std::size_t at = first; at + 1 < bytes.size();) {
    text.clear();
    std::size_t length = 0;
    for (; at + 1 < bytes.size() && is_printable(bytes[at]) && bytes[at + 1] == std::byte{0}; at += 2) {
      if (text.size() < longest_) text += std::to_integer<char>(bytes[at]);
      ++length;
    }
    if (length >= shortest_) add_text(text, TextEncoding::kUtf16, length);
    if (length == 0) at += 2;
  }
}

void StringTally::add_text(std::string_view text, TextEncoding encoding, std::size_t length) {
  const Bytes bytes = encoding == TextEncoding::kUtf16 ? 2 * length : length;
  ++totals_.count;
  totals_.bytes += bytes;
  std::string key(1, encoding == TextEncoding::kUtf16 ? kUtf16Key : kAsciiKey);
  key += text;
  if (entries_.size() >= kEntryLimit && entries_.find(key) == entries_.end()) forget_rare();
  Entry& entry = entries_[std::move(key)];
  ++entry.count;
  entry.bytes += bytes;
  entry.cut = entry.cut || length > text.size();
}

/// Lossy counting: what was seen no more than so often goes, until half of the room is free.
void StringTally::forget_rare() {
  for (std::uint64_t most = 1; entries_.size() > kEntryLimit / 2; most *= 2) {
    std::erase_if(entries_, [most](const auto& entry) { return entry.second.count <= most; });
    forgotten_ += most;
  }
}

std::vector<StringCount> StringTally::most_frequent(std::size_t limit) const {
  std::vector<StringCount> strings;
  strings.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) {
    const auto encoding = key.front() == kUtf16Key ? TextEncoding::kUtf16 : TextEncoding::kAscii;
    strings.push_back({key.substr(1), encoding, entry.cut, entry.count, entry.bytes});
  }
  const auto before = [](const StringCount& a, const StringCount& b) {
    if (a.count != b.count) return a.count > b.count;
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.text < b.text;
  };
  const auto shown = std::min(limit, strings.size());
  std::partial_sort(strings.begin(), strings.begin() + static_cast<std::ptrdiff_t>(shown),
                    strings.end(), before);
  strings.resize(shown);
  return strings;
}

}  // namespace offheap
