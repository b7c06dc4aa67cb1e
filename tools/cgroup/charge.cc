// SPDX-License-Identifier: Apache-2.0
#include "cgroup/charge.h"

#include <algorithm>
#include <array>

#include "base/units.h"

namespace offheap {
namespace {

constexpr Bytes kKernelStackBytes = 16 * 1024;  // x86-64: THREAD_SIZE
constexpr Bytes kBatchPages = 64;               // MEMCG_CHARGE_BATCH

Bytes total_stat(const Cgroup& cgroup, const std::string& key) {
  const auto total = cgroup.stat.find("total_" + key);
  return total == cgroup.stat.end() ? cgroup.stat_of(key) : total->second;
}

/// v1 says one number; threads and page tables of the processes are known all the same.
void add_v1_kernel_parts(const std::vector<ProcessUse>& processes, Charge& charge) {
  Bytes stacks = 0;
  Bytes tables = 0;
  for (const ProcessUse& process : processes) {
    stacks += process.threads * kKernelStackBytes;
    tables += process.page_table_bytes;
  }
  stacks = std::min(stacks, charge.kernel_bytes);
  tables = std::min(tables, charge.kernel_bytes - stacks);
  charge.kernel_parts = {
      {"kernel stacks", stacks},
      {"page tables", tables},
      {"sockets, pipes, inodes and other objects", charge.kernel_bytes - stacks - tables}};
}

void add_v2_kernel_parts(const Cgroup& cgroup, Charge& charge) {
  constexpr std::array<std::pair<const char*, const char*>, 7> kKeys = {
      {{"kernel_stack", "kernel stacks"},
       {"pagetables", "page tables"},
       {"sec_pagetables", "page tables of virtual machines"},
       {"percpu", "per-CPU data"},
       {"vmalloc", "vmalloc"},
       {"slab_reclaimable", "dentries and inodes (reclaimable slab)"},
       {"slab_unreclaimable", "other objects (unreclaimable slab)"}}};
  Bytes listed = 0;
  for (const auto& [key, name] : kKeys) {
    const Bytes bytes = cgroup.stat_of(key);
    listed += bytes;
    charge.kernel_parts.push_back({name, bytes});
  }
  // Kernels before 5.18 have no sum of their own.
  if (cgroup.stat.find("kernel") == cgroup.stat.end()) charge.kernel_bytes = listed;
  charge.kernel_parts.push_back({"pipe buffers and the rest", minus(charge.kernel_bytes, listed)});
}

void add_v2_others(const Cgroup& cgroup, Charge& charge) {
  for (const auto& [key, name] : {std::pair{"sock", "socket buffers"}, std::pair{"zswap", "zswap"},
                                  std::pair{"hugetlb", "huge pages of hugetlbfs"}}) {
    if (const Bytes bytes = cgroup.stat_of(key)) charge.others.push_back({name, bytes});
  }
}

}  // namespace

bool Charge::closed() const {
  const auto tolerance = static_cast<std::int64_t>(tolerance_bytes);
  return rest_bytes >= -tolerance && rest_bytes <= tolerance;
}

Bytes Charge::all_kernel_bytes() const {
  Bytes bytes = kernel_bytes;
  for (const NamedBytes& other : others)
    if (other.name == "socket buffers") bytes += other.bytes;
  return bytes;
}

Charge close_charge(const Cgroup& cgroup, const std::vector<ProcessUse>& processes,
                    std::uint64_t cpu_count) {
  Charge charge;
  charge.usage_bytes = cgroup.usage_bytes;
  charge.anon_bytes = cgroup.anon_bytes();
  charge.file_bytes = cgroup.file_bytes();
  charge.shmem_bytes = cgroup.shmem_bytes();
  charge.kernel_bytes = cgroup.kernel_bytes;
  if (cgroup.version == 1) {
    add_v1_kernel_parts(processes, charge);
  } else {
    add_v2_kernel_parts(cgroup, charge);
    add_v2_others(cgroup, charge);
  }
  Bytes sum = charge.anon_bytes + charge.file_bytes + charge.shmem_bytes + charge.kernel_bytes;
  for (const NamedBytes& other : charge.others) sum += other.bytes;
  charge.rest_bytes = static_cast<std::int64_t>(charge.usage_bytes - sum);
  // Pages of the swap cache that nobody maps are charged and in none of the figures.
  charge.tolerance_bytes = kBatchPages * kPageBytes * cpu_count + total_stat(cgroup, "swapcached");
  return charge;
}

Bridge bridge_to_processes(const Cgroup& cgroup, const std::vector<ProcessUse>& processes) {
  Bridge bridge;
  Bytes file = 0;
  Bytes shmem = 0;
  for (const ProcessUse& process : processes) {
    bridge.rss_bytes += process.rss_bytes;
    bridge.pss_bytes += process.pss_bytes;
    bridge.anon_bytes += process.pss_anon_bytes;
    file += process.pss_file_bytes;
    shmem += process.pss_shmem_bytes;
  }
  bridge.anon_elsewhere_bytes = static_cast<std::int64_t>(cgroup.anon_bytes() - bridge.anon_bytes);
  // The kernel counts what is charged here and mapped by anybody, shared memory included.
  const Bytes mapped = total_stat(cgroup, cgroup.version == 1 ? "mapped_file" : "file_mapped");
  bridge.shmem_mapped_bytes = std::min({cgroup.shmem_bytes(), shmem, mapped});
  bridge.file_mapped_bytes = std::min(cgroup.file_bytes(), mapped - bridge.shmem_mapped_bytes);
  bridge.shmem_unmapped_bytes = cgroup.shmem_bytes() - bridge.shmem_mapped_bytes;
  bridge.file_unmapped_bytes = cgroup.file_bytes() - bridge.file_mapped_bytes;
  bridge.file_charged_elsewhere_bytes = minus(file, bridge.file_mapped_bytes);
  return bridge;
}

Bytes droppable_file_bytes(const Cgroup& cgroup) {
  const Bytes listed = total_stat(cgroup, "inactive_file") + total_stat(cgroup, "active_file");
  const bool v1 = cgroup.version == 1;
  const Bytes busy = total_stat(cgroup, v1 ? "dirty" : "file_dirty") +
                     total_stat(cgroup, v1 ? "writeback" : "file_writeback");
  return minus(std::min(listed, cgroup.file_bytes()), busy);
}

}  // namespace offheap
