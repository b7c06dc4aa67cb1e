// SPDX-License-Identifier: Apache-2.0
#include "commands/peek.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "apart/target_file.h"
#include "base/ranges.h"
#include "commands/look.h"
#include "commands/quiet_reader.h"
#include "commands/site_names.h"
#include "commands/target.h"
#include "glibc_heap/arena_capture.h"
#include "glibc_heap/chunk_walk.h"
#include "peek/pieces.h"
#include "peek/vtables.h"
#include "recording/estimate.h"

namespace offheap {
namespace {

constexpr std::size_t kClassesShown = 40;
constexpr std::size_t kPointersResolved = 400;
constexpr std::size_t kReferrersShown = 12;
constexpr Bytes kLargestWalkedArena = Bytes{1} << 30;

Error no_such(const char* what, std::uint64_t number, std::size_t count, std::string remedy) {
  return Error{ErrorCode::kUsage, fmt::format("there is no {} {}: it has {}", what, number, count),
               what, std::move(remedy)};
}

bool is_module_data(const Mapping& mapping) {
  return mapping.inode != 0 && !mapping.executable && !mapping.shared;
}

class Peek {
 public:
  Peek(const Process& process, const PeekOptions& options, const Look& look, const QuietReader& memory)
      : process_(process), options_(options), look_(look), memory_(memory) {}

  Result<PeekReport> run() {
    auto error = options_.arena  ? choose_arena(*options_.arena)
                 : options_.site ? choose_site(*options_.site)
                                 : choose_range(*options_.range);
    if (error) return *error;
    // Blocks that overlap, as of a recording that is out of date, would count twice.
    report_.ranges = merged(std::move(report_.ranges));
    for (const Range& range : report_.ranges) report_.region_bytes += range.size();
    const PointerMap map(pointer_targets());
    read_region(map);
    find_referrers(map);
    return std::move(report_);
  }

 private:
  std::optional<Error> choose_arena(std::uint32_t index) {
    const std::size_t count = look_.heap ? look_.heap->arenas.size() : 0;
    if (index >= count)
      return no_such(
          "arena", index, count,
          count == 0 ? "no glibc heap was found; use --range" : "`offheap explain` lists them, from 0");
    const ArenaReport& arena = look_.heap->arenas[index];
    report_.region = fmt::format("arena {}", index);
    report_.ranges = arena.segments;
    walk_arena(arena);
    return std::nullopt;
  }

  std::optional<Error> choose_site(std::uint32_t index) {
    if (!look_.snapshot)
      return Error{ErrorCode::kUsage, "no recording: sites are known under the shim only",
                   fmt::format("pid {}", process_.pid()),
                   "use --arena or --range, or start it with `offheap run`"};
    const Snapshot& snapshot = *look_.snapshot;
    const auto estimates =
        estimate_sites(snapshot, exact_totals(snapshot, look_.heap ? &*look_.heap : nullptr));
    if (index >= estimates.size())
      return no_such("site", index, estimates.size(), "`offheap explain --json` lists them, from 0");
    const std::uint32_t site = estimates[index].site;
    for (const RecordedSample& sample : snapshot.samples) {
      if (sample.site == site)
        report_.ranges.push_back({sample.address, sample.address + sample.usable_bytes});
    }
    for (const RecordedMapping& mapping : snapshot.mappings) {
      if (mapping.site == site) report_.ranges.push_back(mapping.range);
    }
    report_.block_count = report_.ranges.size();
    const Descriptor root = root_of(process_);
    SiteNames names(snapshot, path_of(root));
    report_.region = fmt::format("site {}: {}", index, names.place(site));
    return std::nullopt;
  }

  std::optional<Error> choose_range(Range range) {
    const bool mapped =
        std::any_of(look_.mappings.begin(), look_.mappings.end(),
                    [&](const Mapping& m) { return m.readable && m.range.overlaps(range); });
    if (!mapped)
      return Error{ErrorCode::kUsage, "nothing readable is mapped there",
                   fmt::format("{:x}-{:x}", range.begin, range.end), "see /proc/PID/maps"};
    report_.region = fmt::format("range {:x}-{:x}", range.begin, range.end);
    for (const Mapping& mapping : look_.mappings) {
      if (!mapping.readable || !mapping.range.overlaps(range)) continue;
      report_.ranges.push_back(
          {std::max(range.begin, mapping.range.begin), std::min(range.end, mapping.range.end)});
    }
    return std::nullopt;
  }

  /// Blocks by size, by one walk over the arena's chunks as they are now.
  void walk_arena(const ArenaReport& arena) {
    if (arena.rss_bytes > kLargestWalkedArena) {
      report_.notes.push_back("the arena is too large for a list of its blocks by size");
      return;
    }
    const auto location = locate_malloc(memory_, look_.mappings);
    if (!location) return;
    PageBuffer buffer;
    ArenaCapture capture(buffer);
    buffer.reserve(arena.rss_bytes + (Bytes{4} << 20), arena.rss_bytes);
    begin_capture(memory_, *location, arena.address, look_.mappings, capture);
    capture.image.copy(memory_, ArenaImage::Clock::time_point::max());
    finish_capture(memory_, *location, look_.mappings, {}, capture);
    bool sound = true;
    for (const HeapSegment& segment : capture.segments) {
      ChunkWalk walk(capture.image, segment, capture.top());
      for (Chunk chunk; walk.next(chunk);) {
        if (chunk.kind != Chunk::Kind::kInUse) continue;
        auto& blocks = report_.blocks_by_chunk[class_of(chunk.range.size())];
        ++blocks.block_count;
        blocks.usable_bytes += chunk.range.size() - kHeaderBytes;
      }
      sound = sound && walk.sound();
    }
    if (!sound) report_.notes.push_back("the arena changed while its blocks were listed");
  }

  /// Large chunks are summed under the next power of two.
  static Bytes class_of(Bytes chunk_bytes) {
    constexpr Bytes kFirstLarge = 4096;
    Bytes power = kFirstLarge;
    if (chunk_bytes < kFirstLarge) return chunk_bytes;
    while (power < chunk_bytes && power < Bytes{1} << 62) power *= 2;
    return power;
  }

  [[nodiscard]] std::vector<PointerTarget> pointer_targets() const {
    std::vector<PointerTarget> targets;
    for (const Range& range : report_.ranges) targets.push_back({range, PointerTarget::Kind::kRegion});
    for (const Mapping& mapping : look_.mappings) {
      const auto kind =
          is_module_data(mapping) ? PointerTarget::Kind::kModule : PointerTarget::Kind::kElsewhere;
      for (const Range& rest : outside(mapping.range)) targets.push_back({rest, kind});
    }
    return targets;
  }

  /// What of `range` is not in the region.
  [[nodiscard]] std::vector<Range> outside(Range range) const {
    std::vector<Range> rest;
    auto at = std::lower_bound(report_.ranges.begin(), report_.ranges.end(), range.begin,
                               [](const Range& r, Address a) { return r.end <= a; });
    for (; at != report_.ranges.end() && at->begin < range.end; ++at) {
      if (at->begin > range.begin) rest.push_back({range.begin, at->begin});
      range.begin = std::min(range.end, at->end);
    }
    if (range.begin < range.end) rest.push_back(range);
    return rest;
  }

  /// Reads pieces in their order until the time is over; `look` gets each one's bytes.
  template <typename Take>
  Bytes read_pieces(const Pieces& pieces, Take take) {
    const auto begin_ns = monotonic_ns();
    std::vector<std::byte> buffer(kPieceBytes);
    Bytes read_bytes = 0;
    for (const Range& piece : pieces.pieces) {
      if (monotonic_ns() - begin_ns > options_.time_limit_ns) break;
      const auto wanted = std::span(buffer).first(std::min(piece.size(), kPieceBytes));
      const auto got = memory_.read(piece.begin, wanted);
      take(piece.begin, std::span<const std::byte>(wanted.first(got)));
      read_bytes += got;
    }
    return read_bytes;
  }

  void read_region(const PointerMap& map) {
    const Pieces pieces = choose_pieces(memory_, report_.ranges, options_.sample_bytes);
    Contents contents(map, options_.content);
    read_pieces(pieces, [&](Address address, std::span<const std::byte> bytes) {
      contents.add(address, bytes);
    });
    report_.resident_bytes = pieces.resident_bytes;
    report_.totals = contents.totals();
    report_.string_totals = contents.strings().totals();
    report_.strings = contents.strings().most_frequent(options_.string_limit);
    report_.strings_forgotten = contents.strings().forgotten();
    name_classes(contents);
  }

  void name_classes(const Contents& contents) {
    std::map<std::pair<std::string, std::string>, std::uint64_t> counts;
    for (const ModulePointer& pointer : contents.module_pointers(kPointersResolved)) {
      const auto name = class_of_vtable(memory_, look_.mappings, pointer.address);
      if (name) counts[{*name, module_of(pointer.address)}] += pointer.count;
    }
    for (const auto& [key, count] : counts) {
      constexpr std::string_view kPrefix = "typeinfo name for ";
      std::string name = demangled("_ZTS" + key.first);
      if (name.starts_with(kPrefix)) name.erase(0, kPrefix.size());
      report_.classes.push_back({std::move(name), key.second, count});
    }
    std::sort(report_.classes.begin(), report_.classes.end(),
              [](const PeekClass& a, const PeekClass& b) {
                return a.count != b.count ? a.count > b.count : a.name < b.name;
              });
    report_.classes.resize(std::min(kClassesShown, report_.classes.size()));
  }

  [[nodiscard]] std::string module_of(Address address) const {
    for (const Mapping& mapping : look_.mappings) {
      if (mapping.range.contains(address)) return mapping.path.substr(mapping.path.rfind('/') + 1);
    }
    return {};
  }

  /// Which other memory points here: all that the program can write to, as far as the budget goes.
  void find_referrers(const PointerMap& map) {
    std::map<std::string, std::uint64_t> counts;
    std::vector<Range> ranges;
    for (const Mapping& mapping : look_.mappings) {
      if (!mapping.writable || !mapping.readable || mapping.shared || mapping.rss_bytes == 0) continue;
      const auto rest = outside(mapping.range);
      ranges.insert(ranges.end(), rest.begin(), rest.end());
    }
    const Pieces pieces = choose_pieces(memory_, ranges, options_.sample_bytes);
    report_.referrer_resident_bytes = pieces.resident_bytes;
    report_.referrer_sample_bytes =
        read_pieces(pieces, [&](Address address, std::span<const std::byte> bytes) {
          const auto count = count_pointers_into_region(map, address, bytes);
          if (count != 0) counts[label_of(address)] += count;
        });
    for (const auto& [where, count] : counts) report_.referrers.push_back({where, count});
    std::sort(
        report_.referrers.begin(), report_.referrers.end(),
        [](const PeekReferrer& a, const PeekReferrer& b) { return a.pointer_count > b.pointer_count; });
    report_.referrers.resize(std::min(kReferrersShown, report_.referrers.size()));
  }

  [[nodiscard]] std::string label_of(Address address) const {
    if (look_.heap) {
      for (const ArenaReport& arena : look_.heap->arenas) {
        for (const Range& segment : arena.segments) {
          if (segment.contains(address)) return fmt::format("arena {}", arena.index);
        }
      }
    }
    for (const ThreadStack& stack : look_.stacks) {
      if (stack.range.contains(address)) return "thread stacks";
    }
    for (const Mapping& mapping : look_.mappings) {
      if (mapping.range.contains(address))
        return mapping.path.empty() ? "anonymous memory"
                                    : mapping.path.substr(mapping.path.rfind('/') + 1);
    }
    return "unmapped by now";
  }

  const Process& process_;
  const PeekOptions& options_;
  const Look& look_;
  const QuietReader& memory_;
  PeekReport report_;
};

}  // namespace

Result<PeekReport> peek_process(int pid, const PeekOptions& options) {
  const auto process = Process::open(pid);
  if (!process) return process.error();
  const auto look = take_look(*process, {true, !options.range, kMostPause_ns});
  if (!look) return look.error();
  const auto memory = ProcessMemory::open(*process);
  if (!memory) return memory.error();
  const QuietReader quiet(*process, *memory, look->mappings);
  auto report = Peek(*process, options, *look, quiet).run();
  if (!report) return report.error();
  report->pid = pid;
  report->command = describe_target(*process, *look).command;
  if (process->exited()) return process->exit_error();
  return report;
}

std::optional<Range> parse_range(std::string_view text) {
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto parse = [](std::string_view word) -> std::optional<Address> {
    if (word.starts_with("0x")) word.remove_prefix(2);
    Address value = 0;
    const auto parsed = std::from_chars(word.data(), word.data() + word.size(), value, 16);
    if (parsed.ec != std::errc{} || parsed.ptr != word.data() + word.size()) return std::nullopt;
    return value;
  };
  const auto begin = parse(text.substr(0, dash));
  const auto end = parse(text.substr(dash + 1));
  constexpr Address kUserEnd = Address{1} << 56;
  if (!begin || !end || *begin >= *end || *end > kUserEnd) return std::nullopt;
  return Range{*begin, *end};
}

}  // namespace offheap
