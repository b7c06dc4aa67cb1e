// SPDX-License-Identifier: Apache-2.0
//
// What a mapped library exports, from the dynamic tables that the loader itself uses: they are in the
// target's memory, so a file that was replaced on disk, another mount namespace or a stripped library
// are no obstacle. Every word of them is hostile: each loop is bounded, each address is only read.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "procfs/memory_reader.h"

namespace offheap {

enum class ExportKind { kFunction, kObject };

class ExportedSymbols {
 public:
  /// Of the library whose first mapping begins at `base`; nothing when its tables make no sense.
  static std::optional<ExportedSymbols> load(const MemoryReader& memory, Address base);

  /// The symbol's address in the target: of the default version if there is one, else of any.
  [[nodiscard]] std::optional<Address> find(std::string_view name, ExportKind kind) const;

 private:
  ExportedSymbols(const MemoryReader& memory, Address base) : memory_(&memory), base_(base) {}
  bool load_tables();
  bool read_dynamic(Address table);
  [[nodiscard]] std::uint32_t word(Address address) const;
  [[nodiscard]] bool is_hidden(std::uint32_t index) const;
  [[nodiscard]] std::optional<Address> symbol_at(std::uint32_t index, std::string_view name,
                                                 ExportKind kind) const;

  const MemoryReader* memory_;
  Address base_;
  Address bias_ = 0;
  Address symbols_ = 0;
  Address strings_ = 0;
  Address hash_ = 0;
  Address versions_ = 0;
};

}  // namespace offheap
