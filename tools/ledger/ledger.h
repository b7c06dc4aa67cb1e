// SPDX-License-Identifier: Apache-2.0
//
// The ledger: owner -> resident bytes, summing to smaps' own total in integers. A pure function over
// mappings, claims and a MemoryReader; nothing here touches the system.
//
// A mapping has a default owner (by its path, or by what its process is), and claims take parts of it
// away: a thread's stack, an arena's segment, a block with a mapping of its own. A mapping with one
// owner gives that owner its Rss. One with several is counted page by page, and where the page count
// and smaps' Rss differ, because time passed between the two reads, the difference is settled against
// the mapping's biggest owner, so that the sum stays exact; Ledger::settled_bytes says how much that
// was.
#pragma once

#include <array>
#include <set>
#include <string>
#include <vector>

#include "ledger/owner.h"
#include "procfs/mapping.h"
#include "procfs/memory_reader.h"

namespace offheap {

/// A part of the address space whose owner is known. Ranges are whole pages. Claims hold inside
/// anonymous mappings, [heap] and [stack] only: a mapped file keeps its file's owner. A JVM's claims
/// hold inside mapped files that are not ELF too: it maps archives into its heap, and its heap from a
/// file.
struct Claim {
  Range range;
  Owner owner = Owner::kUnknown;
  std::string label;  ///< names the part in Ledger::details; may be empty
};

struct LedgerInput {
  std::vector<Mapping> mappings;
  std::vector<Claim> claims;              ///< in labelling order: an earlier claim wins
  std::set<std::uint64_t> tmpfs_devices;  ///< Mapping::device numbers that are tmpfs
  std::string recording_path;             ///< of a recording kept as a file; empty for a memfd
  bool jvm_is_read = false;  ///< claims say what a JVM owns; without, all anonymous memory is its own
};

struct OwnerTotal {
  Bytes rss_bytes = 0;
  Bytes anon_huge_bytes = 0;  ///< of mappings in which it is the biggest owner
  Bytes swap_bytes = 0;       ///< the same
};

/// A named part of an owner: a file, a stack, a site's mappings, an unknown mapping.
struct LedgerDetail {
  Owner owner = Owner::kUnknown;
  std::string label;
  Bytes rss_bytes = 0;
  std::uint64_t part_count = 0;
};

/// A part of a mapping that is one owner's, resident or not.
struct LedgerPart {
  Range range;
  Owner owner = Owner::kUnknown;
};

struct LedgerCheck {
  std::string name;
  bool ok = false;
};

struct Ledger {
  Bytes rss_bytes = 0;  ///< sum of Rss over all mappings
  std::array<OwnerTotal, kOwnerCount> owners{};
  std::vector<LedgerDetail> details;  ///< largest first
  std::vector<Owner> mapping_owners;  ///< of each input mapping, its biggest
  std::vector<LedgerPart> parts;      ///< of mappings that have resident pages; in address order
  bool jvm = false;                   ///< libjvm.so is mapped
  std::string foreign_allocator;      ///< "jemalloc", "tcmalloc", "mimalloc"; empty when none is mapped
  Bytes settled_bytes = 0;            ///< moved to make page counts meet smaps
  std::uint64_t mixed_mapping_count = 0;
  std::vector<LedgerCheck> checks;

  [[nodiscard]] Bytes rss_of(Owner owner) const {
    return owners[static_cast<std::size_t>(owner)].rss_bytes;
  }
  [[nodiscard]] Bytes sum() const;
};

/// Labels every resident byte of `input` with one owner.
///
/// Errors: never fails; memory that cannot be read only means coarser labels.
/// Thread: any; no shared state.
Ledger build_ledger(const LedgerInput& input, const MemoryReader& memory);

/// The name of the allocator that a mapped library brings along, by its file name; empty for none.
std::string_view allocator_of_library(std::string_view path);

/// Devices mounted as tmpfs, from a /proc/PID/mountinfo text, as Mapping::device encodes them.
std::set<std::uint64_t> parse_tmpfs_devices(std::string_view mountinfo);

}  // namespace offheap
