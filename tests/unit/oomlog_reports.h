// SPDX-License-Identifier: Apache-2.0
//
// Logs as texts in tests, read as files are: through the scanner, in pieces of any size.
#pragma once

#include <string>
#include <string_view>

#include "oomlog/export_format.h"
#include "oomlog/log_scanner.h"
#include "oomlog/summary.h"

namespace offheap {

/// `text` read in pieces of `piece` bytes.
inline LogContents read_text(std::string_view text, std::size_t piece = 1 << 20) {
  LogScanner scanner("test");
  ExportReader journal(scanner);
  const bool is_export = is_journal_export(text);
  std::string buffer;
  for (std::size_t at = 0; at < text.size() || !buffer.empty();) {
    const std::string_view next = text.substr(at, piece);
    buffer += next;
    at += next.size();
    const bool last = at >= text.size();
    buffer.erase(0, is_export ? journal.take(buffer, last) : scanner.take(buffer, last));
    if (last) break;
  }
  return scanner.finish();
}

inline OomSummary summary_of(std::string_view text) {
  std::vector<LogContents> logs;
  logs.push_back(read_text(text));
  return summarise(std::move(logs));
}

}  // namespace offheap
