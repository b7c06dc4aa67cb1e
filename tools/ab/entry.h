// SPDX-License-Identifier: Apache-2.0
//
// An entry of a comparison: an allocator with its tuning, and the environment that makes a program run
// under it. Parsing is pure; resolve_entry() alone looks for files.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace offheap::ab {

/// What is preloaded: the shim, an allocator's own library without the shim, or nothing.
enum class EntryKind { kShim, kBare, kNone };

struct Entry {
  std::string name;  ///< as it was asked for: "glibc:arena_max=2"
  EntryKind kind = EntryKind::kShim;
  std::string backend;  ///< "glibc", "jemalloc", ..., or a library's path
  std::string library;  ///< kBare: the file that is preloaded; set by resolve_entry()
  /// Tunings as variables of the environment, in the order given; one variable may come several times.
  std::vector<std::pair<std::string, std::string>> variables;

  /// The files that must be where the program runs, beside the shim.
  [[nodiscard]] std::vector<std::string> files() const;
};

/// An entry from its text: NAME[:TUNING=VALUE[,TUNING=VALUE...]].
///
///   glibc tcmalloc jemalloc next   the shim over that backend
///   /path/to/lib.so                the shim over the allocator in that file
///   bare:NAME, bare:/path          the allocator's own library preloaded, without the shim
///   none                           no shim: what the program has by itself; takes glibc's tunings
///
/// Errors: kUsage for an unknown name, tuning or value, with the list of those that are known.
Result<Entry> parse_entry(std::string_view text);

/// Entries from a list separated by blanks, semicolons or commas. What is written NAME=VALUE after a
/// comma is one more tuning of the entry before it: "glibc,jemalloc:dirty_decay_ms=0,narenas=2" are
/// two.
///
/// Errors: as parse_entry(); an empty list.
Result<std::vector<Entry>> parse_entry_list(std::string_view text);

/// Errors: kUsage when the same entry comes twice, naming it.
Result<bool> check_distinct(const std::vector<Entry>& entries);

/// Makes paths absolute and finds the library of a bare entry. Errors: kUsage when it is not there.
Result<Entry> resolve_entry(Entry entry);

struct EntrySurroundings {
  std::vector<std::string> inherited;  ///< "NAME=value"
  std::string shim;                    ///< path of libshim.so, as the program will see it
  unsigned cpus = 1;                   ///< what arena_max=auto means where the shim does not run
};

/// The environment of a program under `entry`: what is inherited, the preload, the tunings. Inherited
/// GLIBC_TUNABLES and MALLOC_CONF stay, before the entry's own.
std::vector<std::string> environment_of(const Entry& entry, const EntrySurroundings& surroundings);

/// Every known tuning by allocator, a line each, for --help and error texts.
std::string known_tunings();

}  // namespace offheap::ab
