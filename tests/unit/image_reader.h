// SPDX-License-Identifier: Apache-2.0
//
// Memory for the ledger's tests: bytes and resident pages that a test names itself.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "procfs/memory_reader.h"

namespace offheap {

class ImageReader : public MemoryReader {
 public:
  void put(Address address, const void* data, std::size_t size) {
    auto& bytes = pieces_[address];
    bytes.resize(size);
    std::memcpy(bytes.data(), data, size);
  }
  void set_resident(Range range) { resident_.push_back(range); }

  std::size_t read(Address address, std::span<std::byte> out) const override {
    for (const auto& [begin, bytes] : pieces_) {
      if (address < begin || address >= begin + bytes.size()) continue;
      const std::size_t length = std::min<std::size_t>(out.size(), begin + bytes.size() - address);
      std::memcpy(out.data(), bytes.data() + (address - begin), length);
      return length;
    }
    return 0;
  }

  std::vector<bool> resident_pages(Range range) const override {
    std::vector<bool> pages;
    for (Address at = range.begin; at < range.end; at += kPageBytes) {
      pages.push_back(std::any_of(resident_.begin(), resident_.end(),
                                  [&](const Range& r) { return r.contains(at); }));
    }
    return pages;
  }

 private:
  std::map<Address, std::vector<std::byte>> pieces_;
  std::vector<Range> resident_;
};

}  // namespace offheap
