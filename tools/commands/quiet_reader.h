// SPDX-License-Identifier: Apache-2.0
//
// Memory read without a trace: pages that are not resident are not touched, since that would make them
// so. What a read-only file mapping holds there is taken from the file instead.
#pragma once

#include <vector>

#include "procfs/mapping.h"
#include "procfs/process_memory.h"

namespace offheap {

class QuietReader : public MemoryReader {
 public:
  /// All must outlive the reader.
  QuietReader(const Process& process, const ProcessMemory& memory, const std::vector<Mapping>& mappings)
      : process_(process), memory_(memory), mappings_(mappings) {}

  std::size_t read(Address address, std::span<std::byte> out) const override;
  std::vector<bool> resident_pages(Range range) const override { return memory_.resident_pages(range); }

 private:
  [[nodiscard]] std::size_t read_file(Address address, std::span<std::byte> out) const;

  const Process& process_;
  const ProcessMemory& memory_;
  const std::vector<Mapping>& mappings_;
};

}  // namespace offheap
