// SPDX-License-Identifier: Apache-2.0
//
// What pieces of memory hold: text, zeros, bytes that look compressed or encrypted, pointers and where
// they lead. Pure functions over bytes; nothing that they say is believed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/units.h"
#include "peek/strings.h"

namespace offheap {

/// Where a pointer may lead.
struct PointerTarget {
  enum class Kind {
    kRegion,     ///< into what is looked at
    kModule,     ///< data of an ELF file: where vtables are
    kElsewhere,  ///< any other mapping
  };
  Range range;
  Kind kind = Kind::kElsewhere;
};

/// All places where a pointer may lead; ranges do not overlap.
class PointerMap {
 public:
  explicit PointerMap(std::vector<PointerTarget> targets);
  /// The place that holds `address`, or null.
  [[nodiscard]] const PointerTarget* find(Address address) const;

 private:
  std::vector<PointerTarget> targets_;
};

/// Bits of information a byte: 0 for one value, 8 for bytes of no pattern.
double entropy_of(std::span<const std::byte> bytes);

/// A page of random bytes has 7.95; of text 4 to 5, of machine code 6, of compressed data above 7.8.
inline constexpr double kDenseEntropy = 7.5;

struct ContentOptions {
  std::size_t shortest_string = 6;
  std::size_t longest_string = 80;
};

struct ContentTotals {
  Bytes bytes = 0;                    ///< looked at
  Bytes zero_bytes = 0;               ///< in words (8 bytes) that are zero
  Bytes zero_page_bytes = 0;          ///< in pieces of a page that are zero throughout
  Bytes dense_bytes = 0;              ///< in pieces of a page that look compressed, encrypted or random
  std::uint64_t pointers_inside = 0;  ///< words that lead into the region
  std::uint64_t pointers_to_modules = 0;
  std::uint64_t pointers_elsewhere = 0;
};

/// A pointer into a module's data and how often it was met: a vtable, if it is one.
struct ModulePointer {
  Address address = 0;
  std::uint64_t count = 0;
};

class Contents {
 public:
  Contents(const PointerMap& map, const ContentOptions& options)
      : map_(map), strings_(options.shortest_string, options.longest_string) {}

  /// Looks at one piece of memory that lies at `address`.
  void add(Address address, std::span<const std::byte> bytes);

  [[nodiscard]] const ContentTotals& totals() const { return totals_; }
  [[nodiscard]] const StringTally& strings() const { return strings_; }
  /// Most frequent first, at most `limit`.
  [[nodiscard]] std::vector<ModulePointer> module_pointers(std::size_t limit) const;

 private:
  void add_words(Address address, std::span<const std::byte> bytes);
  bool add_page(std::span<const std::byte> bytes);

  const PointerMap& map_;
  ContentTotals totals_;
  StringTally strings_;
  std::unordered_map<Address, std::uint64_t> module_pointers_;
};

/// How many words of `bytes` lead into the region.
std::uint64_t count_pointers_into_region(const PointerMap& map, Address address,
                                         std::span<const std::byte> bytes);

}  // namespace offheap
