// SPDX-License-Identifier: Apache-2.0
//
// The tables in which HotSpot describes its own structures to the outside: where a static field stands,
// at which offset an instance field, how large a type is, what a constant is. libjvm.so exports them
// (gHotSpotVMStructs and its like), so they need no symbols and no debug information.
//
// The tables lie in the target's memory and are hostile: counts and lengths are bounded, and whoever
// uses an address reads it through a MemoryReader.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "procfs/exported_symbols.h"
#include "procfs/memory_reader.h"

namespace offheap {

struct VmField {
  std::string type_text;  ///< as declared: "size_t", "Klass*"; may be empty
  bool is_static = false;
  Bytes offset = 0;     ///< of an instance field
  Address address = 0;  ///< of a static field
};

class VmTables {
 public:
  /// Nothing when the tables are missing or make no sense.
  static std::optional<VmTables> load(const MemoryReader& memory, const ExportedSymbols& symbols);

  /// Of the first of `types` that has the field: fields move between a class and its base.
  [[nodiscard]] const VmField* field(std::initializer_list<std::string_view> types,
                                     std::string_view name) const;
  [[nodiscard]] std::optional<Bytes> offset(std::initializer_list<std::string_view> types,
                                            std::string_view name) const;
  [[nodiscard]] std::optional<Address> static_address(std::string_view type,
                                                      std::string_view name) const;
  [[nodiscard]] std::optional<Bytes> size_of(std::string_view type) const;
  [[nodiscard]] std::optional<std::int64_t> constant(std::string_view name) const;

  /// How many fields were read.
  [[nodiscard]] std::size_t field_count() const { return fields_.size(); }

 private:
  std::map<std::pair<std::string, std::string>, VmField, std::less<>> fields_;
  std::map<std::string, Bytes, std::less<>> sizes_;
  std::map<std::string, std::int64_t, std::less<>> constants_;
  friend class VmTablesReader;
};

/// A zero-terminated text of at most `limit` bytes; nothing when it is longer or unreadable.
std::optional<std::string> read_vm_text(const MemoryReader& memory, Address address,
                                        std::size_t limit = 255);

}  // namespace offheap
