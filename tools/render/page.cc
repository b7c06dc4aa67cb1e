// SPDX-License-Identifier: Apache-2.0
#include "render/page.h"

#include <fmt/format.h>

#include "render/sanitise.h"

namespace offheap {

std::string Page::painted(std::string_view code, std::string_view text) const {
  return colour_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

void Page::heading(std::string_view text) {
  blank();
  line(bold(text));
}

void Page::line(std::string_view text) {
  text_ += text;
  text_ += '\n';
}

void Page::wrapped(std::string_view prefix, std::string_view text) {
  const std::string clean = sanitise(text);
  const std::size_t indent = width_of(prefix);
  const std::size_t room = columns_ > indent + 20 ? columns_ - indent : 20;
  std::string_view rest = clean;
  std::string lead(prefix);
  while (true) {
    std::size_t cut = rest.size();
    if (width_of(rest) > room) {
      cut = rest.rfind(' ', room);
      // A word that is longer than the room is cut where the room ends, between characters.
      if (cut == std::string_view::npos || cut == 0) {
        cut = std::min(room, rest.size());
        while (cut > 1 && cut < rest.size() && (static_cast<unsigned char>(rest[cut]) & 0xc0) == 0x80)
          --cut;
      }
    }
    line(lead + std::string(rest.substr(0, cut)));
    rest.remove_prefix(cut);
    if (rest.starts_with(' ')) rest.remove_prefix(1);
    if (rest.empty()) return;
    lead.assign(indent, ' ');
  }
}

std::string with_commas(std::uint64_t value) {
  std::string digits = std::to_string(value);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

}  // namespace offheap
