// SPDX-License-Identifier: Apache-2.0
//
// How offheap host stays alive where memory has run out: all that it needs is taken, touched and locked
// before the first look, the OOM killer is told to leave it alone, and it steps out of a memory cgroup
// that has no room for it. Each is done as far as the rights go, and said.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/units.h"

namespace offheap::host {

struct OwnMemory {
  std::span<std::byte> block;       ///< touched; for the arena of the looks
  std::optional<Bytes> room_bytes;  ///< left in the own cgroup at the start; nothing = no limit
  bool left_group = false;          ///< went to the root cgroup
  int root_group = -1;  ///< opened beforehand: cgroup.procs of the root; -1 = may not be written
  bool spared = false;  ///< oom_score_adj is -1000
  bool locked = false;
  std::vector<std::string> notes;
};

/// Takes what a look needs: 8 MiB, less where the own cgroup has less room than twice that.
///
/// Errors: none; an empty block when not even the least could be had.
/// Source: mlock(2), proc_pid_oom_score_adj(5), kernel Documentation/admin-guide/cgroup-v1/memory.rst.
OwnMemory take_own_memory();

/// Before each later look: goes to the root cgroup if the own one has come to its limit meanwhile.
/// There the kernel would refuse to open a file, or choose this program to die.
void step_aside(OwnMemory& own);

/// Bytes of block for that much room.
std::size_t block_size_for(std::optional<Bytes> room_bytes);

}  // namespace offheap::host
