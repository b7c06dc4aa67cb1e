// SPDX-License-Identifier: Apache-2.0
//
// One running HotSpot as its readers need it: memory, tables and mappings, with checked reads of
// fields.
#pragma once

#include <optional>

#include "hotspot/careful_memory.h"
#include "hotspot/vm_tables.h"

namespace offheap {

/// How much of a library's statics is looked through: real ones have 3 MB.
inline constexpr Bytes kMostStaticBytes = Bytes{128} << 20;

using TypeNames = std::initializer_list<std::string_view>;

class Vm {
 public:
  Vm(const CarefulMemory& memory, const VmTables& tables, Range library)
      : memory_(memory), tables_(tables), library_(library) {}

  [[nodiscard]] const CarefulMemory& memory() const { return memory_; }
  [[nodiscard]] const VmTables& tables() const { return tables_; }
  /// From the first to the last mapping of libjvm.so, its bss included.
  [[nodiscard]] Range library() const { return library_; }

  template <typename T = std::uint64_t>
  [[nodiscard]] std::optional<T> at(Address address) const {
    if (address == 0) return std::nullopt;
    return memory_.read_value<T>(address);
  }

  /// The value of a static field.
  template <typename T = std::uint64_t>
  [[nodiscard]] std::optional<T> static_value(std::string_view type, std::string_view name) const {
    const auto address = tables_.static_address(type, name);
    return address ? at<T>(*address) : std::nullopt;
  }

  /// The value of an instance field; `types`: the class, then its bases.
  template <typename T = std::uint64_t>
  [[nodiscard]] std::optional<T> member(Address object, TypeNames types, std::string_view name) const {
    const auto offset = tables_.offset(types, name);
    return object != 0 && offset ? at<T>(object + *offset) : std::nullopt;
  }

  /// Where an instance field stands that is a struct itself; 0 when it is not known.
  [[nodiscard]] Address part(Address object, TypeNames types, std::string_view name) const {
    const auto offset = tables_.offset(types, name);
    return object != 0 && offset ? object + *offset : 0;
  }

 private:
  const CarefulMemory& memory_;
  const VmTables& tables_;
  Range library_;
};

}  // namespace offheap
