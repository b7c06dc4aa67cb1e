// SPDX-License-Identifier: Apache-2.0
//
// What rules a call into a process out before anything of it is touched, each with its reason and what
// to do instead.
#pragma once

#include <optional>
#include <span>

#include "base/result.h"
#include "procfs/mapping.h"
#include "procfs/process.h"

namespace offheap {

/// Nothing, or why no call into `process` is possible: it is offheap itself, traced, stopped, a zombie,
/// 32-bit, on musl, static, or under strict seccomp.
std::optional<Error> find_obstacle(const Process& process, std::span<const Mapping> mappings);

/// Nothing, or why this one thread cannot be borrowed although it waits: it uses a shadow stack.
std::optional<Error> find_obstacle(const Process& process, std::uint32_t tid);

/// Whether a seccomp filter watches the thread.
bool has_seccomp_filter(const Process& process, std::uint32_t tid);

}  // namespace offheap
