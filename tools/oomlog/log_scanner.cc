// SPDX-License-Identifier: Apache-2.0
#include "oomlog/log_scanner.h"

#include <algorithm>
#include <cstring>

#include "oomlog/json_record.h"
#include "oomlog/text.h"

namespace offheap {
namespace {

constexpr std::size_t kLongestLine = std::size_t{1} << 20;
constexpr int kOtherLines = 60;  ///< of a report without its header, besides table rows

std::size_t line_begin(std::string_view text, std::size_t at) {
  const void* newline = at == 0 ? nullptr : ::memrchr(text.data(), '\n', at);
  return newline ? static_cast<std::size_t>(static_cast<const char*>(newline) - text.data()) + 1 : 0;
}

/// One past the newline that ends the line at `at`; npos when the text ends before it.
std::size_t line_end(std::string_view text, std::size_t at) {
  const auto end = text.find('\n', at);
  return end == std::string_view::npos ? end : end + 1;
}

/// Where the last lines of a piece begin, none of them before `used`. They stay: a table whose end is
/// in the next piece begins in this one.
std::size_t first_kept(std::string_view text, std::size_t used) {
  const std::size_t from = text.size() > kLongestLine / 4 ? text.size() - kLongestLine / 4 : 0;
  return line_begin(text, std::max(from, used));
}

bool is_part_of_report(std::string_view line) {
  const LogFrame frame = parse_frame(trim_end(line));
  if (frame.origin == Origin::kOther) return false;
  return frame.text.size() <= 8 || frame.text == "Call Trace:" ||
         classify(frame.text, std::nullopt).index() != 0;
}

bool is_row(std::string_view line) {
  const LogFrame frame = parse_frame(trim_end(line));
  return std::holds_alternative<TaskRowLine>(classify(frame.text, std::nullopt));
}

}  // namespace

void LogScanner::keep(std::vector<OomReport>&& reports) {
  for (OomReport& report : reports) {
    if (contents_.reports.size() < kMostReports)
      contents_.reports.push_back(std::move(report));
    else
      ++contents_.unlisted_reports;
  }
}

void LogScanner::feed(std::string_view line) {
  const std::string_view text = skip_blanks(line);
  if (text.starts_with('{')) {
    const auto inner = line_of_json(trim_end(before(text, "\n")));
    if (inner) keep(log_.feed(*inner + "\n"));
    return;
  }
  keep(log_.feed(line));
}

void LogScanner::take_record(std::string_view record) {
  if (log_.wants_every_line() || has_mark(record)) keep(log_.feed(record));
}

/// A report whose header was rotated away begins with its table, or with a stack: lines without a mark.
void LogScanner::feed_before(std::string_view text, std::size_t begin, std::size_t fed_to) {
  std::size_t at = begin;
  int others = 0;
  for (std::size_t lines = 0; at > fed_to && lines < OomLog::kTaskRows; ++lines) {
    const std::size_t previous = line_begin(text, at - 1);
    if (previous < fed_to) break;
    const std::string_view line = text.substr(previous, at - 1 - previous);
    if (!is_row(line) && (++others > kOtherLines || !is_part_of_report(line))) break;
    at = previous;
  }
  while (at < begin) {
    const std::size_t next = line_end(text, at);
    feed(text.substr(at, next - at));
    at = next;
  }
}

std::size_t LogScanner::take(std::string_view text, bool last) {
  std::size_t at = 0;
  std::size_t fed_to = 0;
  while (at < text.size()) {
    std::size_t begin = at;
    if (!log_.wants_every_line()) {
      const std::size_t mark = find_mark(text, at);
      if (mark == std::string_view::npos) {
        return last ? text.size() : first_kept(text, at);
      }
      begin = line_begin(text, mark);
      if (begin < at) begin = at;
    }
    const std::size_t end = line_end(text, begin);
    const bool whole = end != std::string_view::npos;
    if (!whole && !last && text.size() - begin < kLongestLine)
      return log_.wants_every_line() ? begin : first_kept(text, at);
    if (!log_.wants_every_line()) feed_before(text, begin, fed_to);
    feed(text.substr(begin, whole ? end - begin : std::string_view::npos));
    at = fed_to = whole ? end : text.size();
  }
  return text.size();
}

LogContents LogScanner::finish() {
  keep(log_.flush());
  contents_.notes = log_.notes();
  return std::move(contents_);
}

}  // namespace offheap
