// SPDX-License-Identifier: Apache-2.0
#include "oomlog/export_format.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>

#include "oomlog/json_record.h"
#include "oomlog/text.h"

namespace offheap {
namespace {

constexpr std::size_t kLongestValue = std::size_t{1} << 24;
constexpr std::size_t kKeptBytes = 65536;

}  // namespace

bool is_journal_export(std::string_view head) {
  return head.starts_with("__CURSOR=") || head.starts_with("__REALTIME_TIMESTAMP=");
}

void ExportReader::take_field(std::string_view name, std::string_view value) {
  value = value.substr(0, kKeptBytes);
  if (name == "MESSAGE") message_ = value;
  if (name == "_TRANSPORT") transport_ = value;
  if (name == "SYSLOG_IDENTIFIER") program_ = value;
  if (name == "__REALTIME_TIMESTAMP") realtime_ = value;
  if (name == "_SOURCE_MONOTONIC_TIMESTAMP") clock_ = value;
}

void ExportReader::end_entry() {
  const bool kernel =
      transport_ == "kernel" || (transport_.empty() && (program_.empty() || program_ == "kernel"));
  if (kernel && !message_.empty()) {
    std::string text = message_;
    for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at))
      text.replace(at, 1, "#012");
    std::string_view realtime = realtime_;
    std::string_view clock = clock_;
    const auto wall_us = eat_number(realtime);
    const auto clock_us = eat_number(clock);
    std::string line = wall_us ? wall_of_us(*wall_us) + " " : std::string("- ");
    line += "kernel: ";
    if (clock_us && *clock_us >= 0)
      line += fmt::format("[{}.{:06}] ", *clock_us / 1'000'000, *clock_us % 1'000'000);
    scanner_.take_record(line + text + "\n");
  }
  for (std::string* field : {&message_, &transport_, &program_, &realtime_, &clock_}) field->clear();
}

std::size_t ExportReader::take(std::string_view text, bool last) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto end = text.find('\n', at);
    if (end == std::string_view::npos) break;
    const std::string_view line = text.substr(at, end - at);
    const auto equals = line.find('=');
    if (line.empty()) {
      end_entry();
    } else if (equals != std::string_view::npos) {
      take_field(line.substr(0, equals), line.substr(equals + 1));
    } else {
      std::uint64_t size = 0;
      const std::size_t value = end + 1;
      if (text.size() - value < sizeof size) break;
      std::memcpy(&size, text.data() + value, sizeof size);
      if (size > kLongestValue) {  // damaged: go on at the next line
        at = end + 1;
        continue;
      }
      if (text.size() - value - sizeof size < size + 1) break;
      take_field(line, text.substr(value + sizeof size, static_cast<std::size_t>(size)));
      at = value + sizeof size + static_cast<std::size_t>(size) + 1;
      continue;
    }
    at = end + 1;
  }
  // A text without newlines is no journal's: let go of it.
  if (!last) return at == 0 && text.size() > 2 * kLongestValue ? text.size() : at;
  end_entry();
  return text.size();
}

}  // namespace offheap
