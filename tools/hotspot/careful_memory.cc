// SPDX-License-Identifier: Apache-2.0
#include "hotspot/careful_memory.h"

#include <algorithm>
#include <cstring>

namespace offheap {

CarefulMemory::CarefulMemory(const MemoryReader& memory, std::span<const Mapping> mappings,
                             std::string_view library, FileReader file)
    : memory_(memory), mappings_(mappings), library_(library), file_(std::move(file)) {}

const Mapping* CarefulMemory::mapping_of(Address address) const {
  const auto next = std::upper_bound(mappings_.begin(), mappings_.end(), address,
                                     [](Address a, const Mapping& m) { return a < m.range.end; });
  return next != mappings_.end() && next->range.contains(address) ? &*next : nullptr;
}

std::size_t CarefulMemory::read(Address address, std::span<std::byte> out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const Address at = address + done;
    const Address offset = at % kPageBytes;
    const Page* page = page_at(at - offset);
    if (page == nullptr) break;
    const auto count = std::min<std::size_t>(out.size() - done, kPageBytes - offset);
    std::memcpy(out.data() + done, page->data() + offset, count);
    done += count;
  }
  return done;
}

const CarefulMemory::Page* CarefulMemory::page_at(Address page) const {
  const auto known = pages_.find(page);
  if (known != pages_.end()) return known->second.get();
  if (pages_.size() >= kMostPages) return nullptr;
  auto bytes = std::make_unique<Page>();
  if (!load(page, *bytes)) bytes.reset();
  return pages_.emplace(page, std::move(bytes)).first->second.get();
}

bool CarefulMemory::load(Address page, Page& bytes) const {
  const Mapping* mapping = mapping_of(page);
  if (mapping == nullptr || !mapping->readable) return false;
  const bool of_library = mapping->path == library_;
  if (of_library && !mapping->writable && file_) {
    const Bytes offset = mapping->file_offset + (page - mapping->range.begin);
    if (file_(offset, bytes) == kPageBytes) return true;
  }
  // The library's own pages may be read in any case: no count of ours looks at them page by page.
  if (!of_library && !is_resident(page)) return false;
  return memory_.read(page, bytes) == kPageBytes;
}

bool CarefulMemory::is_resident(Address page) const {
  constexpr Bytes kWindowBytes = kWindowPages * kPageBytes;
  const Address begin = page / kWindowBytes * kWindowBytes;
  const auto [window, fresh] = windows_.try_emplace(begin);
  if (fresh) {
    const auto pages = memory_.resident_pages({begin, begin + kWindowBytes});
    for (std::size_t i = 0; i < std::min(pages.size(), kWindowPages); ++i) window->second[i] = pages[i];
  }
  return window->second[(page - begin) / kPageBytes];
}

}  // namespace offheap
