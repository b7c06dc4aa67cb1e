// SPDX-License-Identifier: Apache-2.0
//
// What a process's seccomp filter would do about a system call, found out without making it: the filter
// is read from the kernel and run here. A container's default profile allows all that a call needs; a
// sandbox that kills for it must be refused beforehand.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace offheap {

using SeccompFilter = std::vector<sock_filter>;

/// The action that one filter returns for one system call (SECCOMP_RET_*).
///
/// Errors: a program that is no valid filter gives SECCOMP_RET_KILL_PROCESS; never loops: jumps lead
///         forward only, which is checked.
/// Source: seccomp(2); kernel Documentation/networking/filter.rst, kernel/seccomp.c.
std::uint32_t run_seccomp_filter(std::span<const sock_filter> filter, const seccomp_data& data);

/// The strictest action of all filters.
std::uint32_t run_seccomp_filters(std::span<const SeccompFilter> filters, const seccomp_data& data);

/// True when the action lets the system call happen as it is.
bool is_allowed(std::uint32_t action);

/// All filters of a thread that is stopped under ptrace by the caller. Nothing when they cannot be
/// read: that takes CAP_SYS_ADMIN, a caller without a filter of its own, and a kernel that can.
std::optional<std::vector<SeccompFilter>> read_seccomp_filters(int tid);

}  // namespace offheap
