// SPDX-License-Identifier: Apache-2.0
#include "commands/site_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "ledger/ledger.h"

namespace offheap {
namespace {

/// Frames that stand between malloc and the code that wanted the memory.
bool is_plumbing(const Frame& frame) {
  constexpr std::array<std::string_view, 10> prefixes = {
      "operator new", "std::",          "__gnu_cxx::",   "malloc", "calloc",
      "realloc",      "posix_memalign", "aligned_alloc", "mmap",   "void* std::"};
  for (std::string_view prefix : prefixes) {
    if (frame.function.starts_with(prefix)) return true;
  }
  return !allocator_of_library(frame.module).empty();
}

SymbolOptions options_for(std::string root) {
  SymbolOptions options;
  options.root = std::move(root);
  return options;
}

}  // namespace

SiteNames::SiteNames(const Snapshot& snapshot, std::string root)
    : snapshot_(snapshot), symbolizer_(snapshot.modules, options_for(std::move(root))) {}

std::vector<Frame> SiteNames::frames(std::uint32_t site) {
  std::vector<Frame> frames;
  if (site >= snapshot_.sites.size()) return frames;
  for (const Address address : snapshot_.sites[site].frames) {
    const SymbolFrame symbol = symbolizer_.resolve_return_address(address);
    const bool shim = frames.empty() && symbol.module.starts_with("libshim");
    if (!shim) frames.push_back({.function = symbol.function, .module = symbol.module});
  }
  return frames;
}

std::string SiteNames::place(std::uint32_t site) {
  constexpr std::size_t kShown = 3;
  const auto all = frames(site);
  auto at =
      std::find_if(all.begin(), all.end(), [](const Frame& frame) { return !is_plumbing(frame); });
  if (at == all.end()) at = all.begin();
  std::string place;
  for (std::size_t i = 0; i < kShown && at != all.end(); ++i, ++at) {
    place += (place.empty() ? "" : " < ") + at->function;
  }
  return place.empty() ? "a site without names" : place;
}

std::string SiteNames::place_of_block(Address address) {
  const RecordedSample* nearest = nullptr;
  auto distance = [&](const RecordedSample& sample) {
    return sample.address > address ? sample.address - address : address - sample.address;
  };
  for (const RecordedSample& sample : snapshot_.samples) {
    if (!nearest || distance(sample) < distance(*nearest)) nearest = &sample;
  }
  if (!nearest || distance(*nearest) > kPageBytes) return {};
  return (distance(*nearest) == 0 ? "allocated by " : "next to it: ") + place(nearest->site);
}

}  // namespace offheap
