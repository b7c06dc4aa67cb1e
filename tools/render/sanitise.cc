// SPDX-License-Identifier: Apache-2.0
#include "render/sanitise.h"

#include <fmt/format.h>

#include <cstdint>
#include <vector>

namespace offheap {
namespace {

/// Bytes of the well-formed, printable UTF-8 character at the front of `text`; 0 when there is none.
std::size_t printable_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7f ? 1 : 0;
  const std::size_t length = lead >= 0xf0 && lead < 0xf5 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  if (length == 0 || lead >= 0xf5 || text.size() < length) return 0;
  std::uint32_t point = lead & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0) != 0x80) return 0;
    point = point << 6 | (byte & 0x3fu);
  }
  const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
  const bool surrogate = point >= 0xd800 && point < 0xe000;
  const bool control = point < 0xa0;
  // Bidirectional overrides reorder what stands around them.
  const bool reorders = (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
  return overlong || surrogate || control || reorders || point > 0x10ffff ? 0 : length;
}

}  // namespace

std::size_t width_of(std::string_view text) {
  std::size_t width = 0;
  for (const char c : text) width += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  return width;
}

std::string sanitise(std::string_view text, std::size_t columns) {
  std::vector<std::string> pieces;
  while (!text.empty()) {
    const std::size_t length = printable_length(text);
    if (length > 0) {
      pieces.emplace_back(text.substr(0, length));
      text.remove_prefix(length);
      continue;
    }
    for (const char c : fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0])))
      pieces.emplace_back(1, c);
    text.remove_prefix(1);
  }
  std::string out;
  const bool cut = columns > 3 && pieces.size() > columns;
  const std::size_t front = cut ? (columns - 3) / 2 : pieces.size();
  for (std::size_t i = 0; i < front; ++i) out += pieces[i];
  if (!cut) return out;
  out += "...";
  for (std::size_t i = pieces.size() - (columns - 3 - front); i < pieces.size(); ++i) out += pieces[i];
  return out;
}

}  // namespace offheap
