// SPDX-License-Identifier: Apache-2.0
//
// The memory that HotSpot's structures are read through. Following thousands of small pointers one call
// each is slow, and following a wrong one must not map a page into the target. So pages are copied
// whole and kept, anonymous pages are read only where they are resident, and read-only pages of
// libjvm.so come from its file.
#pragma once

#include <array>
#include <bitset>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "procfs/mapping.h"
#include "procfs/memory_reader.h"

namespace offheap {

/// Reads a file's bytes at an offset: as many as there are, from the front.
using FileReader = std::function<std::size_t(Bytes offset, std::span<std::byte> out)>;

class CarefulMemory : public MemoryReader {
 public:
  /// `memory` and `mappings` must outlive it. `library` is the path of libjvm.so as the mappings have
  /// it; `file` reads that file, or is empty where it cannot be opened.
  CarefulMemory(const MemoryReader& memory, std::span<const Mapping> mappings, std::string_view library,
                FileReader file);

  std::size_t read(Address address, std::span<std::byte> out) const override;
  std::vector<bool> resident_pages(Range range) const override { return memory_.resident_pages(range); }

  /// The mapping that holds `address`, or null.
  [[nodiscard]] const Mapping* mapping_of(Address address) const;

 private:
  using Page = std::array<std::byte, kPageBytes>;
  static constexpr std::size_t kWindowPages = 512;
  /// 256 MiB of pages: what a hostile target can make us keep.
  static constexpr std::size_t kMostPages = 65536;

  const Page* page_at(Address page) const;
  bool load(Address page, Page& bytes) const;
  bool is_resident(Address page) const;

  const MemoryReader& memory_;
  std::span<const Mapping> mappings_;
  std::string_view library_;
  FileReader file_;
  mutable std::unordered_map<Address, std::unique_ptr<Page>> pages_;  ///< null: not readable
  mutable std::unordered_map<Address, std::bitset<kWindowPages>> windows_;
};

}  // namespace offheap
