// SPDX-License-Identifier: Apache-2.0
//
// One mapping as /proc/PID/smaps prints it, and the parser: a pure function over text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace offheap {

struct Mapping {
  Range range;
  bool readable = false;
  bool writable = false;
  bool executable = false;
  bool shared = false;
  Bytes file_offset = 0;
  std::uint64_t device = 0;  ///< major << 32 | minor
  std::uint64_t inode = 0;
  std::string path;      ///< unescaped; "[heap]", "[stack]", "[anon:name]"; empty = anonymous
  bool deleted = false;  ///< the kernel appended " (deleted)", taken off `path`
  Bytes rss_bytes = 0;
  Bytes pss_bytes = 0;
  Bytes anonymous_bytes = 0;
  Bytes anon_huge_bytes = 0;
  Bytes private_dirty_bytes = 0;
  Bytes referenced_bytes = 0;
  Bytes swap_bytes = 0;
};

/// Whether `path` is musl's C library, which is its loader too: ld-musl-ARCH.so.1 where that is a file
/// (Alpine), libc.so where it is a link to that (Debian). glibc's is libc.so.6.
bool is_musl(std::string_view path);

/// The mappings of one smaps text, in address order.
///
/// Units:  bytes; the file's "kB" is KiB and converted here, once.
/// Errors: kUnreadable with the line number when a header line is malformed or addresses do not ascend;
///         unknown keys are skipped, a missing key leaves 0. Never crashes on hostile text.
/// Thread: any; no shared state.
/// Source: proc_pid_smaps(5); kernel fs/proc/task_mmu.c.
Result<std::vector<Mapping>> parse_smaps(std::string_view text);

}  // namespace offheap
