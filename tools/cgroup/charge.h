// SPDX-License-Identifier: Apache-2.0
//
// What a memory cgroup is charged for, closed to the byte, and the bridge from there to the RSS of its
// processes: charge = anonymous + files + shared memory + kernel + rest. Pure; container/ reads.
// Source: kernel Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst, mm/memcontrol.c.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cgroup/cgroup.h"

namespace offheap {

/// One process of a group, by /proc/PID/status and, where it could be read, smaps_rollup.
struct ProcessUse {
  int pid = 0;
  int namespace_pid = 0;  ///< as its own pid namespace has it: 1 for a container's first
  int parent_pid = 0;
  std::uint64_t start_ticks = 0;
  std::string command;  ///< comm
  std::uint64_t threads = 0;
  Bytes rss_bytes = 0;
  Bytes pss_bytes = 0;  ///< RSS where `pss_known` is false
  bool pss_known = false;
  Bytes anon_bytes = 0;
  Bytes file_bytes = 0;   ///< mapped files without shared memory
  Bytes shmem_bytes = 0;  ///< shared memory and tmpfs
  Bytes pss_anon_bytes = 0;
  Bytes pss_file_bytes = 0;
  Bytes pss_shmem_bytes = 0;
  Bytes swap_bytes = 0;
  Bytes page_table_bytes = 0;
  [[nodiscard]] Bytes own_bytes() const { return anon_bytes + shmem_bytes; }
};

struct NamedBytes {
  std::string name;
  Bytes bytes = 0;
};

struct Charge {
  Bytes usage_bytes = 0;
  Bytes anon_bytes = 0;
  Bytes file_bytes = 0;   ///< page cache without shared memory
  Bytes shmem_bytes = 0;  ///< with files on a tmpfs
  Bytes kernel_bytes = 0;
  std::vector<NamedBytes> others;        ///< v2: socket buffers, zswap, huge pages of hugetlb
  std::int64_t rest_bytes = 0;           ///< usage - all of the above
  Bytes tolerance_bytes = 0;             ///< what the kernel's own batching explains of it
  std::vector<NamedBytes> kernel_parts;  ///< sum to kernel_bytes

  [[nodiscard]] bool closed() const;
  /// Kernel memory and socket buffers: what no process has in its RSS and no file holds.
  [[nodiscard]] Bytes all_kernel_bytes() const;
};

/// The charge against what the processes of the group have in their RSS.
struct Bridge {
  Bytes rss_bytes = 0;  ///< sum over the processes; shared pages count once a process
  Bytes pss_bytes = 0;  ///< shared pages counted once
  Bytes anon_bytes = 0;
  std::int64_t anon_elsewhere_bytes = 0;  ///< charged here and in none of these processes, or reverse
  Bytes file_mapped_bytes = 0;            ///< in some RSS
  Bytes file_unmapped_bytes = 0;          ///< page cache of read() and write(): in none
  Bytes shmem_mapped_bytes = 0;
  Bytes shmem_unmapped_bytes = 0;          ///< tmpfs files that nobody maps
  Bytes file_charged_elsewhere_bytes = 0;  ///< in a RSS here, charged to whoever read it first
};

/// `cpu_count`: CPUs that the kernel may run on; each holds up to 64 pages of unused charge.
Charge close_charge(const Cgroup& cgroup, const std::vector<ProcessUse>& processes,
                    std::uint64_t cpu_count);

Bridge bridge_to_processes(const Cgroup& cgroup, const std::vector<ProcessUse>& processes);

/// Page cache that the kernel drops before it kills: neither dirty nor under writeback nor locked.
Bytes droppable_file_bytes(const Cgroup& cgroup);

/// One mounted tmpfs of the group's mount namespace, with its largest files.
struct TmpfsUse {
  std::string mount;
  Bytes bytes = 0;
  std::vector<NamedBytes> files;
};

/// Open descriptors of the group's processes, by what they hold in the kernel.
struct DescriptorCounts {
  std::uint64_t sockets = 0;
  std::uint64_t pipes = 0;
  std::uint64_t files = 0;
  std::uint64_t others = 0;
  bool complete = true;  ///< false: there were more than were looked at
};

/// All of a group but the ledger of its processes.
struct GroupMemory {
  Charge charge;
  Bridge bridge;
  std::vector<ProcessUse> processes;  ///< largest RSS first
  std::vector<TmpfsUse> tmpfs;        ///< largest first
  std::optional<DescriptorCounts> descriptors;
  int target_pid = 0;             ///< the process that is explained
  bool speaks_for_group = false;  ///< the group is asked about, not only this process in it
};

}  // namespace offheap
