// SPDX-License-Identifier: Apache-2.0
#include "peek/vtables.h"

#include <algorithm>

namespace offheap {
namespace {

constexpr std::size_t kNameLimit = 1024;
constexpr Bytes kLargestOffsetToTop = Bytes{1} << 20;

const Mapping* mapping_of(std::span<const Mapping> mappings, Address address) {
  const auto after = std::upper_bound(mappings.begin(), mappings.end(), address,
                                      [](Address a, const Mapping& m) { return a < m.range.begin; });
  if (after == mappings.begin()) return nullptr;
  const Mapping& mapping = *(after - 1);
  return mapping.range.contains(address) && mapping.inode != 0 ? &mapping : nullptr;
}

bool is_code_or_null(std::span<const Mapping> mappings, Address address) {
  if (address == 0) return true;
  const Mapping* mapping = mapping_of(mappings, address);
  return mapping != nullptr && mapping->executable;
}

/// A mangled type name: digits and identifiers; local types begin with '*'.
std::optional<std::string> read_type_name(const MemoryReader& memory, Address address) {
  std::string name;
  for (std::size_t i = 0; i < kNameLimit; i += 8) {
    const auto word = memory.read_value<std::uint64_t>(address + i);
    if (!word) return std::nullopt;
    for (int byte = 0; byte < 8; ++byte) {
      const auto c = static_cast<char>(*word >> 8 * byte & 0xff);
      if (c == '\0') {
        if (name.starts_with('*')) name.erase(0, 1);
        return name.empty() ? std::nullopt : std::optional(name);
      }
      if (c <= 0x20 || c == 0x7f || static_cast<unsigned char>(c) >= 0x80) return std::nullopt;
      name += c;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> class_of_vtable(const MemoryReader& memory,
                                           std::span<const Mapping> mappings, Address address) {
  const auto offset_to_top = memory.read_value<std::uint64_t>(address - 16);
  const auto type = memory.read_value<Address>(address - 8);
  const auto first_function = memory.read_value<Address>(address);
  if (!offset_to_top || !type || !first_function) return std::nullopt;
  // Of a second base's table it is a small negative number.
  if (0 - *offset_to_top > kLargestOffsetToTop) return std::nullopt;
  if (*type % 8 != 0 || mapping_of(mappings, *type) == nullptr) return std::nullopt;
  if (!is_code_or_null(mappings, *first_function)) return std::nullopt;
  const auto name = memory.read_value<Address>(*type + 8);
  if (!name || mapping_of(mappings, *name) == nullptr) return std::nullopt;
  return read_type_name(memory, *name);
}

}  // namespace offheap
