// SPDX-License-Identifier: Apache-2.0
//
// Logs from files, pipes and /dev/kmsg: plain or gzip, lines of text, JSON lines, or the journal's
// export format. One pass, one buffer; lines without a word of interest are passed over unread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "oomlog/report.h"

namespace offheap {

struct LogContents {
  std::string source;
  std::vector<OomReport> reports;
  OomNotes notes;
  std::uint64_t bytes = 0;
  std::uint64_t unlisted_reports = 0;  ///< beyond kMostReports: counted, not kept
};

/// Bounds what a log of nothing but kills can cost.
inline constexpr std::size_t kMostReports = 50000;

/// Reads `path` to its end; "-" is standard input.
///
/// Errors: kUnreadable when it cannot be opened or read; kUsage when it holds no text (binary, UTF-16,
/// or
///         compressed by something else than gzip), with what to do.
Result<LogContents> read_log(const std::string& path);

/// Reads /dev/kmsg from its beginning to what is there now, without waiting.
///
/// Errors: kUnreadable, naming the right that is missing.
/// Source: kernel Documentation/ABI/testing/dev-kmsg.
Result<LogContents> read_kmsg();

}  // namespace offheap
