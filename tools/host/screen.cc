// SPDX-License-Identifier: Apache-2.0
#include "host/screen.h"

#include <fmt/format.h>

#include "host/screen_parts.h"

namespace offheap::host {
namespace {

std::size_t lines_of(const Section& section) {
  return section.lines.size() + (section.hidden > 0 && !section.lines.empty() ? 1 : 0);
}

void shrink(std::vector<Section>& sections) {
  for (;;) {
    std::size_t total = 0;
    Section* loosest = nullptr;
    std::size_t slack = 0;
    for (Section& section : sections) {
      total += lines_of(section);
      if (section.lines.size() <= section.least || section.lines.size() - section.least < slack)
        continue;
      slack = section.lines.size() - section.least;
      loosest = slack > 0 ? &section : loosest;
    }
    if (total <= kScreenLines || !loosest) return;
    loosest->lines.pop_back();
    if (!loosest->rows.empty()) ++loosest->hidden;
  }
}

std::string painted(const std::string& line, bool colours, bool trouble) {
  const auto end = line.find(' ');
  if (!colours || end == 0 || end == std::string::npos) return line;
  const bool verdict_line = line.starts_with("VERDICT");
  const std::string_view code = !verdict_line ? "1" : trouble ? "1;31" : "1;32";
  return fmt::format("\x1b[{}m{}\x1b[0m{}", code, line.substr(0, end), line.substr(end));
}

}  // namespace

std::string render_screen(const HostLook& look, const ScreenOptions& options) {
  const auto findings = find(look);
  const bool all = options.all;
  std::vector<Section> sections;
  sections.reserve(12);
  sections.push_back(title_part(look));
  sections.push_back(verdict_part(findings, all));
  sections.push_back(host_part(look));
  sections.push_back(limits_part(look, all));
  sections.push_back(stuck_part(look, all));
  sections.push_back(zombies_part(look, all));
  sections.push_back(threads_part(look, all));
  sections.push_back(tree_part(look, findings));
  sections.push_back(kills_part(look, all));
  sections.push_back(fork_part(look, all));
  sections.push_back(next_part(findings, all));
  sections.push_back(notes_part(look, all));
  if (!all) shrink(sections);
  std::string text;
  for (const Section& section : sections) {
    for (const std::string& line : section.lines)
      text += painted(line, options.colours, !findings.empty()) + '\n';
    if (section.hidden > 0 && !section.lines.empty())
      text +=
          fmt::format("{}{} more {}\n", std::string(kLabelColumns, ' '), section.hidden, section.rows);
  }
  return text;
}

}  // namespace offheap::host
