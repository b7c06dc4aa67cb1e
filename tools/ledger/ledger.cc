// SPDX-License-Identifier: Apache-2.0
#include "ledger/ledger.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>

#include "base/path.h"
#include "ledger/claims.h"
#include "ledger/default_owner.h"
#include "ledger/elf_spans.h"

namespace offheap {
namespace {

/// Bytes of one mapping, by owner and label.
struct Share {
  Owner owner = Owner::kUnknown;
  std::string label;
  Bytes bytes = 0;
};

/// Of the part of `range` that lies in `window`, whose pages `resident` tells.
Bytes resident_bytes(const std::vector<bool>& resident, Range window, Range range) {
  const auto page = [&](Address address) {
    const Address inside = std::clamp(address, window.begin, window.end);
    return resident.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(
                                  (inside - window.begin) / kPageBytes, resident.size()));
  };
  return static_cast<Bytes>(std::count(page(range.begin), page(range.end), true)) * kPageBytes;
}

class Builder {
 public:
  Builder(const LedgerInput& input, const MemoryReader& memory)
      : input_(input), memory_(memory), elf_(find_elf_files(input.mappings, memory)) {
    traits_ = {.jvm = false,
               .jvm_is_read = input.jvm_is_read,
               .foreign_allocator = {},
               .elf_paths = &elf_.paths,
               .tmpfs_devices = &input.tmpfs_devices,
               .recording_path = input.recording_path};
    for (const Mapping& mapping : input.mappings) note_library(mapping.path);
    for (const ElfSpan& span : elf_.spans) {
      const bool shim = base_name(span.path) == "libshim.so";
      claims_.add(span.range, shim ? Owner::kRecording : Owner::kElf, shim ? "shim tables" : span.path);
    }
    for (const Claim& claim : input.claims) claims_.add(claim.range, claim.owner, claim.label);
  }

  Ledger build() {
    ledger_.jvm = traits_.jvm;
    ledger_.foreign_allocator = traits_.foreign_allocator;
    for (const Mapping& mapping : input_.mappings) add_mapping(mapping);
    finish_details();
    ledger_.checks.push_back({"ledger sums to smaps Rss", ledger_.sum() == ledger_.rss_bytes});
    // One part in a hundred may move while a busy target is read; more means that a label is wrong.
    ledger_.checks.push_back({"page counts settled within 1 % of RSS",
                              ledger_.settled_bytes <= ledger_.rss_bytes / 100 + 64 * kPageBytes});
    return std::move(ledger_);
  }

 private:
  void note_library(const std::string& path) {
    if (base_name(path) == "libjvm.so") traits_.jvm = true;
    if (traits_.foreign_allocator.empty()) traits_.foreign_allocator = allocator_of_library(path);
  }

  void add_mapping(const Mapping& mapping) {
    ledger_.rss_bytes += mapping.rss_bytes;
    ledger_.mapping_owners.push_back(Owner::kUnknown);
    if (mapping.rss_bytes == 0 && mapping.swap_bytes == 0) return;
    std::vector<Share> shares = split(mapping);
    const Owner biggest = shares.front().owner;
    ledger_.mapping_owners.back() = biggest;
    for (const Share& share : shares) {
      total(share.owner).rss_bytes += share.bytes;
      if (share.bytes > 0) add_detail(share);
    }
    total(biggest).anon_huge_bytes += mapping.anon_huge_bytes;
    total(biggest).swap_bytes += mapping.swap_bytes;
  }

  /// The mapping's resident bytes by owner, largest first, summing to its Rss.
  std::vector<Share> split(const Mapping& mapping) {
    const Labelled fallback = default_owner(mapping, traits_);
    auto pieces = claims_.inside(mapping.range);
    if (!fallback.anonymous) {
      std::erase_if(pieces,
                    [&](const auto& piece) { return !fallback.plain_file || !is_java(piece.owner); });
    }
    note_parts(mapping.range, fallback.owner, pieces);
    if (pieces.empty()) return {{fallback.owner, fallback.label, mapping.rss_bytes}};
    if (pieces.size() == 1 && pieces[0].range == mapping.range) {
      return {{pieces[0].owner, claims_.label(pieces[0].label), mapping.rss_bytes}};
    }
    return split_by_page(mapping, fallback, pieces);
  }

  void note_parts(Range mapping, Owner fallback, const std::vector<ClaimMap::Piece>& pieces) {
    Address at = mapping.begin;
    for (const auto& piece : pieces) {
      if (piece.range.begin > at) ledger_.parts.push_back({{at, piece.range.begin}, fallback});
      ledger_.parts.push_back({piece.range, piece.owner});
      at = piece.range.end;
    }
    if (at < mapping.end) ledger_.parts.push_back({{at, mapping.end}, fallback});
  }

  std::vector<Share> split_by_page(const Mapping& mapping, const Labelled& fallback,
                                   const std::vector<ClaimMap::Piece>& pieces) {
    ++ledger_.mixed_mapping_count;
    std::vector<Share> shares;
    shares.reserve(pieces.size() + 1);
    for (const auto& piece : pieces) shares.push_back({piece.owner, claims_.label(piece.label), 0});
    Bytes rest = 0;
    // A target can map more than a list of its pages may take here.
    constexpr Bytes kWindowBytes = Bytes{64} << 30;
    for (Range window{0, mapping.range.begin}; window.end < mapping.range.end;) {
      window = {window.end, window.end + std::min(kWindowBytes, mapping.range.end - window.end)};
      const std::vector<bool> resident = memory_.resident_pages(window);
      rest += resident_bytes(resident, window, window);
      for (std::size_t i = 0; i < pieces.size(); ++i) {
        const Bytes bytes = resident_bytes(resident, window, pieces[i].range);
        shares[i].bytes += bytes;
        rest -= bytes;
      }
    }
    shares.push_back({fallback.owner, fallback.label, rest});
    settle(shares, mapping.rss_bytes);
    return shares;
  }

  /// Makes the shares sum to `rss_bytes`: the difference goes to, or comes from, the biggest first.
  void settle(std::vector<Share>& shares, Bytes rss_bytes) {
    std::stable_sort(shares.begin(), shares.end(),
                     [](const Share& a, const Share& b) { return a.bytes > b.bytes; });
    Bytes sum = 0;
    for (const Share& share : shares) sum += share.bytes;
    ledger_.settled_bytes += sum > rss_bytes ? sum - rss_bytes : rss_bytes - sum;
    if (sum < rss_bytes) shares.front().bytes += rss_bytes - sum;
    for (Share& share : shares) {
      if (sum <= rss_bytes) break;
      const Bytes taken = std::min(share.bytes, sum - rss_bytes);
      share.bytes -= taken;
      sum -= taken;
    }
  }

  OwnerTotal& total(Owner owner) { return ledger_.owners[static_cast<std::size_t>(owner)]; }

  void add_detail(const Share& share) {
    auto& detail = details_[{share.owner, share.label}];
    detail.rss_bytes += share.bytes;
    ++detail.part_count;
  }

  void finish_details() {
    for (auto& [key, detail] : details_) {
      detail.owner = key.first;
      detail.label = key.second;
      ledger_.details.push_back(detail);
    }
    std::stable_sort(ledger_.details.begin(), ledger_.details.end(),
                     [](const auto& a, const auto& b) { return a.rss_bytes > b.rss_bytes; });
  }

  const LedgerInput& input_;
  const MemoryReader& memory_;
  ElfFiles elf_;
  ProcessTraits traits_;
  ClaimMap claims_;
  std::map<std::pair<Owner, std::string>, LedgerDetail> details_;
  Ledger ledger_;
};

}  // namespace

Bytes Ledger::sum() const {
  return std::accumulate(owners.begin(), owners.end(), Bytes{0},
                         [](Bytes sum, const OwnerTotal& owner) { return sum + owner.rss_bytes; });
}

Ledger build_ledger(const LedgerInput& input, const MemoryReader& memory) {
  return Builder(input, memory).build();
}

std::string_view allocator_of_library(std::string_view path) {
  const std::string_view name = base_name(path);
  for (std::string_view allocator :
       {"jemalloc", "tcmalloc", "mimalloc", "snmalloc", "rpmalloc", "tbbmalloc"}) {
    const auto at = name.find(allocator);
    if (at != std::string_view::npos && name.starts_with("lib") &&
        name.find(".so") != std::string_view::npos) {
      return allocator;
    }
  }
  return {};
}

std::set<std::uint64_t> parse_tmpfs_devices(std::string_view mountinfo) {
  std::set<std::uint64_t> devices;
  while (!mountinfo.empty()) {
    const auto end = mountinfo.find('\n');
    const std::string_view line = mountinfo.substr(0, end);
    mountinfo = end == std::string_view::npos ? std::string_view{} : mountinfo.substr(end + 1);
    const auto separator = line.find(" - ");
    if (separator == std::string_view::npos || !line.substr(separator + 3).starts_with("tmpfs "))
      continue;
    // "31 23 0:28 / /sys/fs/cgroup rw - tmpfs ...": the third field is major:minor.
    auto field = line.find(' ');
    field = field == std::string_view::npos ? field : line.find(' ', field + 1);
    if (field == std::string_view::npos) continue;
    const std::string_view numbers = line.substr(field + 1);
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    const char* last = numbers.data() + numbers.size();
    const auto parsed = std::from_chars(numbers.data(), last, major);
    if (parsed.ec != std::errc{} || parsed.ptr == last || *parsed.ptr != ':') continue;
    if (std::from_chars(parsed.ptr + 1, last, minor).ec != std::errc{}) continue;
    devices.insert(std::uint64_t{major} << 32 | minor);
  }
  return devices;
}

}  // namespace offheap
