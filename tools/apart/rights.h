// SPDX-License-Identifier: Apache-2.0
//
// A command that is run as root gives up what it has no use for before it reads its first byte.
#pragma once

#include <linux/capability.h>

#include <cstdint>

namespace offheap {

/// A set of capabilities, the bit of each at its number in capabilities(7).
using Rights = std::uint64_t;

constexpr Rights right(int capability) { return Rights{1} << capability; }

inline constexpr Rights kNoRights = 0;
/// For commands that act on what they find, or start what needs its own.
inline constexpr Rights kAllRights = ~Rights{0};
/// To read other users' processes, files below their roots, what they have mapped, and the kernel's
/// log.
inline constexpr Rights kRightsToLook = right(CAP_SYS_PTRACE) | right(CAP_DAC_READ_SEARCH) |
                                        right(CAP_CHECKPOINT_RESTORE) | right(CAP_SYSLOG);
/// To write into a directory of another user, too.
inline constexpr Rights kRightsToKeep = kRightsToLook | right(CAP_DAC_OVERRIDE);

/// Drops every capability that is not in `kept`, for good; none is gained. What this process executes
/// as root has its own again: the bounding set stays. Before Linux 5.9 CAP_SYS_ADMIN stands in for
/// CAP_CHECKPOINT_RESTORE, which that kernel does not have.
///
/// Errors: none; a kernel that refuses leaves all as it was.
/// Thread: the calling one only, so before there are others.
/// Source: capset(2), capabilities(7).
void keep_rights(Rights kept);

}  // namespace offheap
