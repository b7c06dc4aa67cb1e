// SPDX-License-Identifier: Apache-2.0
//
// How long threads wait for the allocator's own locks, sampled: a thread that sits in futex(2) names
// the word that it waits on (/proc/PID/task/TID/syscall), and that word is in an arena's header, in the
// allocator's data, or neither. classify_wait() is pure; LockWaits reads a process.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "procfs/mapping.h"
#include "procfs/memory_reader.h"
#include "procfs/process.h"
#include "procfs/process_memory.h"

namespace offheap::ab {

/// One thread's line of /proc/PID/task/TID/syscall, when it waits in futex(2).
struct FutexWait {
  Address word = 0;
  std::uint64_t operation = 0;
  std::uint64_t value = 0;
  std::uint64_t timeout = 0;  ///< address of a timespec; 0 = waits for good
  Address stack = 0;
  Address code = 0;
};

/// Nothing for "running", another call, or a text that is none. Source: proc_pid_syscall(5).
std::optional<FutexWait> parse_futex_wait(std::string_view text);

/// Whose code and data lie where, as far as waiting is concerned.
struct AllocatorMap {
  std::vector<Range> code;  ///< of the shim and of allocators in libraries of their own
  std::vector<Range> data;  ///< the same, with bss
  std::vector<Range> libc_code;
  std::vector<Range> other_code;
  Address main_arena = 0;  ///< 0 = not found

  static AllocatorMap of(const std::vector<Mapping>& mappings);
};

/// Whether a wait is one for a lock of the allocator's: the word is glibc's main_arena, or begins an
/// arena (`names_itself`: the heap_info before it points back at it), or is in an allocator's own data;
/// or it is a plain mutex (FUTEX_WAIT for 2, no timeout) whose first caller outside libc is allocator
/// code. `stack_words`: what lies from FutexWait::stack upwards.
bool is_allocator_wait(const AllocatorMap& map, const FutexWait& wait, bool names_itself,
                       std::span<const Address> stack_words);

/// The threads of one process, sampled again and again. A sample costs a read of a few microseconds
/// for each thread.
class LockWaits {
 public:
  explicit LockWaits(Process process);
  ~LockWaits();

  struct Count {
    double allocator = 0;  ///< threads that wait for a lock of the allocator's
    double other = 0;      ///< threads in another futex wait
  };

  /// The threads that wait now. `refresh`: look for new threads and new mappings first.
  Count sample(bool refresh);

 private:
  bool is_allocators(const FutexWait& wait) const;
  void refresh_threads();
  void refresh_map();

  Process process_;
  std::unique_ptr<ProcessMemory> memory_;
  AllocatorMap map_;
  bool map_is_read_ = false;
  std::map<std::uint32_t, Descriptor> threads_;
  double threads_per_sampled_ = 1;
};

}  // namespace offheap::ab
