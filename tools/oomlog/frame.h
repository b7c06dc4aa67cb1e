// SPDX-License-Identifier: Apache-2.0
//
// What stands before a kernel's text in a log line: priorities, wall times in any form and language,
// the kernel's own clock, caller ids, host and program names, quoting. A frame is taken apart by what
// it looks like; nothing is assumed of who wrote it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace offheap {

enum class Origin {
  kUnknown,  ///< nothing says who wrote it
  kKernel,   ///< "kernel:", or the kernel's own clock
  kOther,    ///< another program, which may repeat the kernel's words
};

/// One line taken apart. All views are parts of the line.
struct LogFrame {
  std::string_view text;   ///< the kernel's own text
  std::string_view wall;   ///< wall time as written, without the day of the week; empty = none
  std::string_view clock;  ///< the kernel's clock as written; empty = none
  std::optional<std::int64_t> clock_us;
  std::optional<std::int64_t> caller;  ///< CONFIG_PRINTK_CALLER: the thread that printed it
  Origin origin = Origin::kUnknown;
  bool framed = false;        ///< anything but quoting stood before the text
  bool whole_record = false;  ///< came from /dev/kmsg or the journal: cannot have been wrapped
  std::int64_t dropped = 0;   ///< "** N printk messages dropped **"
};

/// Thread: any; no shared state. Source: kernel/printk/printk.c, dmesg(1), RFC 3164, RFC 5424.
LogFrame parse_frame(std::string_view line);

/// Where in `text` a second record begins that was joined to the first; npos when none does.
std::size_t joined_record(std::string_view text);

/// Seconds since 1970 of a wall time as written, in UTC where it names no zone; without a year, seconds
/// since the beginning of that year. Nothing when it is in no form that is known.
std::optional<std::int64_t> seconds_of_wall(std::string_view wall);

/// `text` with the escapes \xNN of /dev/kmsg and of systemd's unit names undone.
std::string unescape_log(std::string_view text);

}  // namespace offheap
