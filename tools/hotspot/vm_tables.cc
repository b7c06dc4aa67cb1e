// SPDX-License-Identifier: Apache-2.0
//
// Source: OpenJDK src/hotspot/share/runtime/vmStructs.hpp: each table is an array that ends with an
// entry without a name; the offsets of an entry's parts and the stride are exported beside it.
#include "hotspot/vm_tables.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <span>

namespace offheap {
namespace {

constexpr std::size_t kMostEntries = 20'000;
constexpr Bytes kMostEntryBytes = 256;

}  // namespace

std::optional<std::string> read_vm_text(const MemoryReader& memory, Address address,
                                        std::size_t limit) {
  if (address == 0) return std::nullopt;
  std::string text(limit + 1, '\0');
  text.resize(memory.read(address, std::as_writable_bytes(std::span(text))));
  const auto end = text.find('\0');
  if (end == std::string::npos) return std::nullopt;
  text.resize(end);
  return text;
}

class VmTablesReader {
 public:
  VmTablesReader(const MemoryReader& memory, const ExportedSymbols& symbols)
      : memory_(memory), symbols_(symbols) {}

  std::optional<VmTables> run() {
    read_fields();
    read_types();
    read_constants("Int", 4);
    read_constants("Long", 8);
    if (tables_.fields_.empty() || tables_.sizes_.empty()) return std::nullopt;
    return std::move(tables_);
  }

 private:
  /// The 8-byte value of an exported variable; 0 when there is none.
  std::uint64_t exported(const std::string& name) const {
    const auto address = symbols_.find(name, ExportKind::kObject);
    return address ? memory_.read_value<std::uint64_t>(*address).value_or(0) : 0;
  }

  /// Where a part of an entry stands; beyond the entry when the table lies.
  Bytes part(const std::string& table, std::string_view name) const {
    return exported(fmt::format("gHotSpotVM{}Entry{}Offset", table, name));
  }

  std::uint64_t word(Address entry, Bytes offset) const {
    if (offset >= kMostEntryBytes) return 0;
    return memory_.read_value<std::uint64_t>(entry + offset).value_or(0);
  }

  std::string text(Address entry, Bytes offset) const {
    return read_vm_text(memory_, word(entry, offset)).value_or("");
  }

  /// Calls `use` with each entry's address and name, up to the one without a name.
  template <typename Use>
  void each_entry(const std::string& table, Address begin, Bytes name_offset, Use use) const {
    const Bytes stride = exported(fmt::format("gHotSpotVM{}EntryArrayStride", table));
    if (begin == 0 || stride == 0 || stride > kMostEntryBytes) return;
    for (std::size_t i = 0; i < kMostEntries; ++i) {
      const Address entry = begin + i * stride;
      const std::string name = text(entry, name_offset);
      if (name.empty()) return;
      use(entry, name);
    }
  }

  void read_fields() {
    const Bytes field_name = part("Struct", "FieldName");
    const Bytes type_text = part("Struct", "TypeString");
    const Bytes is_static = part("Struct", "IsStatic");
    const Bytes offset = part("Struct", "Offset");
    const Bytes address = part("Struct", "Address");
    each_entry("Struct", exported("gHotSpotVMStructs"), part("Struct", "TypeName"),
               [&](Address entry, const std::string& type) {
                 VmField field;
                 field.type_text = text(entry, type_text);
                 field.is_static = static_cast<std::uint32_t>(word(entry, is_static)) != 0;
                 field.offset = word(entry, offset);
                 field.address = word(entry, address);
                 tables_.fields_.try_emplace({type, text(entry, field_name)}, std::move(field));
               });
  }

  void read_types() {
    const Bytes size = part("Type", "Size");
    each_entry("Type", exported("gHotSpotVMTypes"), part("Type", "TypeName"),
               [&](Address entry, const std::string& type) {
                 tables_.sizes_.try_emplace(type, word(entry, size));
               });
  }

  void read_constants(const std::string& kind, std::size_t bytes) {
    const Bytes value = part(kind + "Constant", "Value");
    each_entry(kind + "Constant", exported("gHotSpotVM" + kind + "Constants"),
               part(kind + "Constant", "Name"), [&](Address entry, const std::string& name) {
                 const std::uint64_t raw = word(entry, value);
                 tables_.constants_.try_emplace(name, bytes == 4 ? static_cast<std::int32_t>(raw)
                                                                 : static_cast<std::int64_t>(raw));
               });
  }

  const MemoryReader& memory_;
  const ExportedSymbols& symbols_;
  VmTables tables_;
};

std::optional<VmTables> VmTables::load(const MemoryReader& memory, const ExportedSymbols& symbols) {
  return VmTablesReader(memory, symbols).run();
}

const VmField* VmTables::field(std::initializer_list<std::string_view> types,
                               std::string_view name) const {
  for (const std::string_view type : types) {
    const auto found = fields_.find(std::pair<std::string, std::string>(type, name));
    if (found != fields_.end()) return &found->second;
  }
  return nullptr;
}

std::optional<Bytes> VmTables::offset(std::initializer_list<std::string_view> types,
                                      std::string_view name) const {
  const VmField* found = field(types, name);
  constexpr Bytes kMostOffset = 1 << 20;
  if (found == nullptr || found->is_static || found->offset > kMostOffset) return std::nullopt;
  return found->offset;
}

std::optional<Address> VmTables::static_address(std::string_view type, std::string_view name) const {
  const VmField* found = field({type}, name);
  if (found == nullptr || !found->is_static) return std::nullopt;
  return found->address;
}

std::optional<Bytes> VmTables::size_of(std::string_view type) const {
  const auto found = sizes_.find(type);
  return found == sizes_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::int64_t> VmTables::constant(std::string_view name) const {
  const auto found = constants_.find(name);
  return found == constants_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace offheap
