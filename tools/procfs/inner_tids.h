// SPDX-License-Identifier: Apache-2.0
//
// The ids that a process in a container, or in any other pid namespace, has of its own threads. They
// stand in its memory (glibc's thread descriptors, HotSpot's OSThread) and in its recording, while
// /proc speaks of the ids that we see.
#pragma once

#include <cstdint>
#include <map>
#include <span>

#include "procfs/process.h"

namespace offheap {

/// Our id of each thread -> the target's own. Empty where both are the same; threads that ended are
/// absent.
///
/// Source: proc(5), NSpid of /proc/PID/task/TID/status.
std::map<std::uint32_t, std::uint32_t> read_inner_tids(const Process& process,
                                                       std::span<const std::uint32_t> tids);

}  // namespace offheap
