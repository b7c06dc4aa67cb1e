// SPDX-License-Identifier: Apache-2.0
//
// Recognising main_arena and malloc_par. The first pass looks at libc's own data only: anonymous memory
// behind a library may hold a secondary arena, whose bins look the same. The second pass is for static
// programs, whose libc is the program.
#include "glibc_heap/locate.h"

#include <algorithm>
#include <bit>

#include "glibc_heap/main_pieces.h"

namespace offheap {
namespace {

constexpr std::size_t kMostArenas = 100'000;
constexpr Bytes kMostScanBytes = 64 << 20;  // a program's data, bss included

/// The words of a range of the target; zero where nothing is resident.
struct Words {
  Address begin = 0;
  std::vector<std::uint64_t> values;

  [[nodiscard]] Address address(std::size_t index) const { return begin + index * 8; }
};

Words read_words(const MemoryReader& memory, Range range) {
  range.end = std::min(range.end, range.begin + kMostScanBytes);
  Words words{range.begin, std::vector<std::uint64_t>(range.size() / 8)};
  const auto resident = memory.resident_pages(range);
  const auto bytes = std::as_writable_bytes(std::span(words.values));
  for (std::size_t page = 0; page < resident.size(); ++page)
    if (resident[page])
      memory.read(range.begin + page * kPageBytes, bytes.subspan(page * kPageBytes, kPageBytes));
  return words;
}

bool is_libc(const std::string& path) {
  const auto name = path.substr(path.rfind('/') + 1);
  return name.starts_with("libc.so.6") || (name.starts_with("libc-2.") && name.ends_with(".so"));
}

bool is_private_data(const Mapping& mapping) {
  return mapping.readable && mapping.writable && !mapping.shared && !mapping.executable;
}

/// Bins start at words[at]: each is empty (names its own head twice) or holds two aligned pointers.
bool are_bins(const Words& words, std::size_t at) {
  if (at + 2 * kBinCount > words.values.size()) return false;
  bool has_empty = false;
  for (std::size_t bin = 0; bin < kBinCount; ++bin) {
    const auto forward = words.values[at + 2 * bin];
    const auto backward = words.values[at + 2 * bin + 1];
    const Address self = words.address(at + 2 * bin) - kForwardOffset;
    if (forward == self && backward == self)
      has_empty = true;
    else if (forward == 0 || backward == 0 || (forward | backward) % kChunkAlign != 0)
      return false;
  }
  return has_empty;
}

std::optional<std::size_t> find_bins(const Words& words, std::size_t from) {
  for (auto at = from; at + 2 * kBinCount <= words.values.size(); ++at)
    if (are_bins(words, at)) return at;
  return std::nullopt;
}

/// The ring of arenas from `main`, if it closes; `next_offset` is where a malloc_state links to the
/// next.
std::vector<Address> walk_ring(const MemoryReader& memory, Address main, Bytes next_offset) {
  std::vector<Address> nodes{main};
  auto node = memory.read_value<Address>(main + next_offset);
  while (node && *node != main && *node != 0 && nodes.size() < kMostArenas) {
    nodes.push_back(*node);
    node = memory.read_value<Address>(*node + next_offset);
  }
  return node && *node == main ? nodes : std::vector<Address>{};
}

/// Which generation it is: the one whose distance from malloc_state to bins makes the ring close.
std::vector<Address> find_ring(const MemoryReader& memory, Address bins) {
  for (const auto& layout : kMallocLayouts) {
    auto nodes = walk_ring(memory, bins - layout.bins, layout.next);
    if (!nodes.empty()) return nodes;
  }
  return {};
}

std::optional<MallocLayout> layout_of(const MemoryReader& memory, Address arena, Bytes bins_offset) {
  // attached_threads is a small count; in generations without it, system_mem stands in its place.
  constexpr std::uint64_t kMostThreads = 1 << 20;
  std::optional<MallocLayout> found;
  for (const auto& layout : kMallocLayouts) {
    if (layout.bins != bins_offset) continue;
    const auto attached = layout.attached != 0
                              ? memory.read_value<std::uint64_t>(arena + layout.attached)
                              : std::optional<std::uint64_t>(0);
    if (attached && *attached < kMostThreads) found = layout;
    if (layout.attached == 0) {
      const auto other = memory.read_value<std::uint64_t>(arena + layout.next + 16);
      if (!other || *other < kMostThreads) found.reset();
    }
  }
  return found;
}

bool may_be_sbrk_base(std::span<const Mapping> mappings, Address address) {
  const auto holds = [address](const Mapping& mapping) {
    return mapping.range.contains(address) && is_private_data(mapping) &&
           (mapping.path.empty() || mapping.path.front() == '[' || is_hugetlb(mapping));
  };
  return address != 0 && std::any_of(mappings.begin(), mappings.end(), holds);
}

/// What systrim() cuts in: thp_pagesize where malloc uses transparent huge pages (2.35 and later). It
/// stands 40 bytes before mmapped_mem, hp_pagesize behind it; in the generations before, these places
/// hold mmap_threshold and arena_test, which is small and never 0.
Bytes read_top_unit(const Words& words, std::size_t mmapped_mem) {
  if (mmapped_mem < 5) return kPageBytes;
  const Bytes unit = words.values[mmapped_mem - 5];
  const Bytes hp_page = words.values[mmapped_mem - 4];
  const bool is_thp =
      hp_page == 0 && std::has_single_bit(unit) && unit > kPageBytes && unit <= (Bytes{1} << 30);
  return is_thp ? unit : kPageBytes;
}

bool are_mmapped_counters(std::uint64_t now, std::uint64_t most) {
  return now % kChunkAlign == 0 && most % kChunkAlign == 0 && most >= now;
}

/// From 2.26 on malloc_par ends in mmapped_mem, max_mmapped_mem, sbrk_base and the tcache's limits.
bool find_par_with_tcache(const Words& words, std::span<const Mapping> mappings, MallocLocation& out) {
  for (std::size_t i = 0; i + 6 < words.values.size(); ++i) {
    const auto* w = &words.values[i];
    const bool tcache = (w[3] == 64 || w[3] == 76) && w[4] >= 24 && w[4] <= (8 << 20) && w[5] <= 65535;
    if (!are_mmapped_counters(w[0], w[1]) || !tcache || !may_be_sbrk_base(mappings, w[2])) continue;
    out.sbrk_base = w[2];
    out.mmapped_mem = words.address(i);
    out.tcache_count = w[5];
    out.top_unit = read_top_unit(words, i);
    return true;
  }
  return false;
}

/// Before, it ends in sbrk_base, which is the start of [heap]; the oldest have max_total_mem before it,
/// which is always 0.
void find_par_by_heap(const Words& words, Address heap, MallocLocation& out) {
  for (std::size_t i = 4; i < words.values.size(); ++i) {
    const auto* w = &words.values[i];
    if (w[0] != heap) continue;
    const std::size_t back = w[-1] == 0 ? 3 : 2;
    const auto now = words.values[i - back];
    const auto most = words.values[i - back + 1];
    if (!are_mmapped_counters(now, most) || now % kPageBytes != 0) continue;
    out.mmapped_mem = words.address(i - back);
    return;
  }
}

void find_malloc_par(const Words& words, std::span<const Mapping> mappings, MallocLocation& out) {
  if (find_par_with_tcache(words, mappings, out)) return;
  for (const auto& mapping : mappings) {
    if (mapping.path != "[heap]") continue;
    out.sbrk_base = mapping.range.begin;
    return find_par_by_heap(words, mapping.range.begin, out);
  }
}

std::optional<MallocLocation> locate_in(const MemoryReader& memory, std::span<const Mapping> mappings,
                                        Range range) {
  const auto words = read_words(memory, range);
  for (std::size_t from = 0;;) {
    const auto at = find_bins(words, from);
    if (!at) return std::nullopt;
    // top and last_remainder, which stand before the bins, can look like one bin more: the ring of
    // arenas closes for the true place alone.
    from = *at + 1;
    const Address bins = words.address(*at);
    auto arenas = find_ring(memory, bins);
    if (arenas.empty()) continue;
    const auto layout = layout_of(memory, arenas.front(), bins - arenas.front());
    if (!layout) continue;
    MallocLocation location;
    location.layout = *layout;
    location.arenas = std::move(arenas);
    find_malloc_par(words, mappings, location);
    if (location.arenas.size() > 1) {
      const Address arena = location.arenas[1];
      const Range heap = heap_segment_of(memory, arena, arena);
      location.heap_info_bytes = heap.size() == 0 ? 0 : arena - heap.begin;
    }
    return location;
  }
}

/// A file's writable data and the bss that the kernel shows as an anonymous mapping right behind it.
Range data_and_bss(std::span<const Mapping> mappings, std::size_t index) {
  Range range = mappings[index].range;
  if (index + 1 < mappings.size()) {
    const auto& after = mappings[index + 1];
    if (after.range.begin == range.end && after.path.empty() && is_private_data(after))
      range.end = after.range.end;
  }
  return range;
}

}  // namespace

Range heap_segment_of(const MemoryReader& memory, Address address, Address arena) {
  for (const Bytes size :
       {Bytes{64} << 20, Bytes{32} << 20, Bytes{16} << 20, Bytes{8} << 20, Bytes{4} << 30}) {
    const Address heap = align_down(address, size);
    const auto info = memory.read_value<HeapInfo>(heap);
    // Aligned too far down it may be another heap of the arena, which ends before the address.
    if (info && info->arena == arena && address - heap < info->size && info->size <= size)
      return {heap, heap + size};
  }
  return {};
}

std::optional<MallocLocation> locate_malloc(const MemoryReader& memory,
                                            std::span<const Mapping> mappings) {
  bool has_libc = false;
  for (const auto& mapping : mappings) {
    if (!is_libc(mapping.path)) continue;
    has_libc = true;
    if (!is_private_data(mapping)) continue;
    if (auto location = locate_in(memory, mappings, mapping.range)) {
      location->libc_path = mapping.path;
      return location;
    }
  }
  if (has_libc) return std::nullopt;
  for (std::size_t i = 0; i < mappings.size(); ++i) {
    if (!mappings[i].path.starts_with('/') || !is_private_data(mappings[i])) continue;
    if (auto location = locate_in(memory, mappings, data_and_bss(mappings, i))) {
      location->libc_path = mappings[i].path;
      return location;
    }
  }
  return std::nullopt;
}

}  // namespace offheap
