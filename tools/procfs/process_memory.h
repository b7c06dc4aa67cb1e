// SPDX-License-Identifier: Apache-2.0
//
// The memory of a live process: copied by process_vm_readv, or through /proc/PID/mem where that call is
// filtered; residency from the kernel's page tables. Never touches a page that is not resident: reading
// one would map the zero page into the target and spoil the next count. Never answers with the memory
// of another process that has the number by now.
#pragma once

#include <vector>

#include "base/result.h"
#include "procfs/memory_reader.h"
#include "procfs/process.h"

namespace offheap {

class ProcessMemory : public MemoryReader {
 public:
  /// Checks once that memory and page tables can be read. `process` must outlive the reader.
  /// Errors: kUnreadable; no permission names the missing right, an exit says so.
  static Result<ProcessMemory> open(const Process& process);

  std::size_t read(Address address, std::span<std::byte> out) const override;
  std::vector<bool> resident_pages(Range range) const override;
  Bytes swapped_bytes(Range range) const override;

  /// Whether zero pages are left out of resident_pages (PAGEMAP_SCAN, Linux 6.7 and later).
  [[nodiscard]] bool excludes_zero_pages() const { return has_pagemap_scan_; }

 private:
  ProcessMemory(const Process& process, Descriptor pagemap, Descriptor memory)
      : process_(&process), pagemap_(std::move(pagemap)), memory_(std::move(memory)) {}
  bool scan_pages(Range range, std::vector<bool>& pages) const;
  void read_pagemap(Range range, std::uint64_t bit, std::vector<bool>& pages) const;

  const Process* process_;
  Descriptor pagemap_;
  Descriptor memory_;
  bool has_pagemap_scan_ = true;
};

}  // namespace offheap
