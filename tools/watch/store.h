// SPDX-License-Identifier: Apache-2.0
//
// Evidence outside the victim: a directory of snapshots and incidents, bounded in bytes, the oldest
// dropped first. A file's name says when and of which group it is, so that a store is listed without
// reading it, and an agent that starts again knows all that was there. Files are written whole or not
// at all. Names are pure (store_names.cc); the class opens files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "procfs/text_file.h"

namespace offheap {

enum class EntryKind : std::uint8_t { kSnapshot, kIncident };

/// One file of a store. "snapshot.<time>.<group>.json": 19 digits of CLOCK_REALTIME nanoseconds, 16 hex
/// digits of group_key().
struct StoreEntry {
  EntryKind kind = EntryKind::kSnapshot;
  std::string name;
  std::uint64_t time_ns = 0;
  std::uint64_t group = 0;
  Bytes bytes = 0;  ///< on disk, whole pages

  /// "20261128-131502-3f2c91": what people call an incident.
  [[nodiscard]] std::string id() const;
};

/// A cgroup's path as a number (FNV-1a, 64 bit).
std::uint64_t group_key(std::string_view path);

std::string entry_name(EntryKind kind, std::uint64_t time_ns, std::uint64_t group);

/// What a file's name says; nothing for a name that is none of ours.
std::optional<StoreEntry> parse_entry_name(std::string_view name);

/// How many of the first of `entries`, which are in the order of time, must go so that the rest has at
/// most `bound_bytes`.
std::size_t count_to_drop(const std::vector<StoreEntry>& entries, Bytes bound_bytes);

/// The one entry that `id` names, whole or by its beginning, or "last".
///
/// Errors: kUsage when none or several are meant.
Result<StoreEntry> find_entry(const std::vector<StoreEntry>& entries, std::string_view id);

/// What an agent remembers besides evidence.
struct StoreState {
  std::string boot_id;
  std::int64_t handled_us = -1;  ///< kernel's clock of the last kill that became an incident
  std::uint64_t dropped = 0;     ///< entries that the bound took
};

class Store {
 public:
  /// For an agent: makes the directory (0700), holds its lock, and clears away what a dead agent left
  /// half written.
  ///
  /// Errors: kUsage when another agent holds it, with its pid; kUnreadable when it cannot be made or
  ///         written.
  static Result<Store> open_for_agent(const std::string& directory, Bytes bound_bytes);

  /// For reading. Errors: kUnreadable when there is no such directory or it may not be read.
  static Result<Store> open_for_reading(const std::string& directory);

  /// In the order of time. Foreign files are left out.
  [[nodiscard]] std::vector<StoreEntry> list() const;

  /// Errors: kUnreadable when it is gone, no regular file, or larger than kMostBytes.
  [[nodiscard]] Result<std::string> read(const std::string& name) const;

  /// Writes a whole file (0600) or none. Where the disk is full, the oldest entries go first.
  ///
  /// Errors: kUnreadable with the reason.
  Result<Bytes> write(const std::string& name, std::string_view text);

  /// Drops the oldest entries above the bound; how many.
  std::size_t drop_above_bound();

  bool remove(const std::string& name);

  [[nodiscard]] StoreState read_state() const;
  Result<Bytes> write_state(const StoreState& state);

  static constexpr Bytes kMostBytes = Bytes{64} << 20;

 private:
  Store(std::string path, Descriptor directory, Bytes bound_bytes)
      : path_(std::move(path)), directory_(std::move(directory)), bound_bytes_(bound_bytes) {}

  Result<bool> take_lock();
  void remove_partial() const;
  [[nodiscard]] bool try_write(const std::string& name, std::string_view text) const;

  std::string path_;
  Descriptor directory_;
  Descriptor lock_;  ///< a record lock: it is not inherited, and ends with the agent
  Bytes bound_bytes_ = 0;
};

/// A state's text and back; what cannot be read is as if there had been none.
std::string state_text(const StoreState& state);
StoreState parse_state(std::string_view text);

}  // namespace offheap
