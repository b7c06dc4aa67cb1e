// SPDX-License-Identifier: Apache-2.0
//
// The journal's export format (journalctl -o export): entries of FIELD=value lines, blank lines
// between; a value that holds newlines is preceded by its length.
#pragma once

#include <string>
#include <string_view>

#include "oomlog/log_scanner.h"

namespace offheap {

bool is_journal_export(std::string_view head);

/// Source: systemd, "Journal Export Formats".
class ExportReader {
 public:
  explicit ExportReader(LogScanner& scanner) : scanner_(scanner) {}

  /// As LogScanner::take().
  std::size_t take(std::string_view text, bool last);

 private:
  void take_field(std::string_view name, std::string_view value);
  void end_entry();

  LogScanner& scanner_;
  std::string message_, transport_, program_, realtime_, clock_;
};

}  // namespace offheap
