// SPDX-License-Identifier: Apache-2.0
//
// Which thread allocates from which arena, and where its tcache is: both stand in libc's part of static
// TLS (thread_arena, tcache), at a distance from the thread pointer that is the same for all threads of
// a process and is voted on here.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "glibc_heap/locate.h"
#include "procfs/thread_stacks.h"

namespace offheap {

struct ThreadArenas {
  std::map<std::uint32_t, Address> arena_of;  ///< by tid; threads that never allocated are absent
  std::vector<Address> tcaches;               ///< user addresses, ascending
};

/// Errors: never fails; what cannot be told is absent.
/// Source: glibc 2.17-2.43 malloc/arena.c (thread_arena), malloc/malloc.c (tcache), both initial-exec
/// TLS.
ThreadArenas find_thread_arenas(const MemoryReader& memory, const MallocLocation& location,
                                std::span<const ThreadStack> threads);

}  // namespace offheap
