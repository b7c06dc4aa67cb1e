// SPDX-License-Identifier: Apache-2.0
//
// What huge pages cost: a 2 MiB page is resident as a whole when one byte of it was touched. The parts
// that nobody wrote are zeros, which is what the kernel's own shrinker looks for as well.
#include <algorithm>

#include "commands/look.h"

namespace offheap {
namespace {

constexpr Bytes kHugePageBytes = Bytes{2} << 20;
constexpr std::size_t kUnitsSampled = 48;  ///< a mapping; each is a read of 2 MiB
/// A mapping with a smaller part of its Rss in huge pages is not looked at: which of its units are huge
/// is not known from outside.
constexpr double kMostlyHuge = 0.7;

Bytes zero_bytes_of(const std::vector<std::byte>& unit) {
  Bytes zeros = 0;
  for (Bytes at = 0; at < unit.size(); at += kPageBytes) {
    const auto begin = unit.begin() + static_cast<std::ptrdiff_t>(at);
    const bool zero =
        std::all_of(begin, begin + kPageBytes, [](std::byte b) { return b == std::byte{0}; });
    zeros += zero ? kPageBytes : 0;
  }
  return zeros;
}

/// Share of the sampled huge units that is zeros; 0 when none could be read.
double zero_share(const Mapping& mapping, const MemoryReader& memory) {
  const Address first = (mapping.range.begin + kHugePageBytes - 1) & ~(kHugePageBytes - 1);
  const Bytes units = mapping.range.end > first ? (mapping.range.end - first) / kHugePageBytes : 0;
  const Bytes stride = std::max<Bytes>(1, units / kUnitsSampled);
  std::vector<std::byte> buffer(kHugePageBytes);
  Bytes read_bytes = 0;
  Bytes zeros = 0;
  for (Bytes i = 0; i < units; i += stride) {
    const Address begin = first + i * kHugePageBytes;
    const auto resident = memory.resident_pages({begin, begin + kHugePageBytes});
    if (std::find(resident.begin(), resident.end(), false) != resident.end()) continue;
    if (memory.read(begin, buffer) != buffer.size()) continue;
    read_bytes += buffer.size();
    zeros += zero_bytes_of(buffer);
  }
  return read_bytes == 0 ? 0 : static_cast<double>(zeros) / static_cast<double>(read_bytes);
}

}  // namespace

std::array<Bytes, kOwnerCount> measure_huge_zeros(const std::vector<Mapping>& mappings,
                                                  const Ledger& ledger, const MemoryReader& memory) {
  std::array<Bytes, kOwnerCount> zeros{};
  for (std::size_t i = 0; i < mappings.size(); ++i) {
    const Mapping& mapping = mappings[i];
    const Owner owner = ledger.mapping_owners[i];
    if (is_java(owner) || mapping.anon_huge_bytes < kHugePageBytes) continue;
    if (static_cast<double>(mapping.anon_huge_bytes) <
        kMostlyHuge * static_cast<double>(mapping.rss_bytes))
      continue;
    zeros[static_cast<std::size_t>(owner)] +=
        static_cast<Bytes>(zero_share(mapping, memory) * static_cast<double>(mapping.anon_huge_bytes));
  }
  return zeros;
}

}  // namespace offheap
