// SPDX-License-Identifier: Apache-2.0
//
// From a recording's bytes to a Snapshot: header checks, then one function a section. Section code may
// index only with numbers that it has bounded itself.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>

#include "recording/counters.h"
#include "recording/frames.h"
#include "recording/reader.h"

namespace offheap {
namespace {

using recording::Recording;

// Beyond any user address, five-level page tables included: a figure above it is not a size.
constexpr std::uint64_t kAddressLimit = std::uint64_t{1} << 57;
constexpr std::uint64_t kNsPerMs = 1'000'000;
constexpr std::uint32_t kUnmappedSite = recording::kNoSite;
/// Address of an entry that the target was writing during the copy: skipped, since it is no damage.
constexpr std::uint64_t kBeingWritten = 1;

Error incompatible(std::string what, std::string remedy = {}) {
  return {ErrorCode::kIncompatible, std::move(what), "", std::move(remedy)};
}

/// Text of a hostile, zero-padded field.
template <std::size_t N>
std::string field_text(const char (&field)[N], std::size_t length = N) {
  return {field, strnlen(field, std::min(N, length))};
}

std::string printable_magic(const char (&magic)[8]) {
  std::string text;
  for (char c : magic) text += fmt::format("{:02x} ", static_cast<unsigned char>(c));
  text.pop_back();
  return text;
}

bool valid_range(std::uint64_t begin, std::uint64_t end) { return begin < end && end <= kAddressLimit; }

/// A file that its process had made but not yet written to: the magic comes last.
bool never_begun(std::span<const std::byte> image) {
  if (image.size() != sizeof(Recording)) return false;
  const auto magic = image.first(sizeof recording::kMagic);
  return std::all_of(magic.begin(), magic.end(), [](std::byte byte) { return byte == std::byte{0}; });
}

/// Copies `image` when its header fits; else says why not. Reads no further than `image` goes.
std::optional<Error> copy_checked(std::span<const std::byte> image, Recording* out) {
  constexpr std::size_t kPrefixBytes = offsetof(recording::Header, pid);
  if (never_begun(image))
    return incompatible("a recording that was never begun: its process was killed at its start");
  if (image.size() < kPrefixBytes) {
    return incompatible(
        fmt::format("not a recording: {} bytes, less than its header's start", image.size()));
  }
  std::memcpy(&out->header, image.data(), kPrefixBytes);
  const recording::Header& header = out->header;
  if (std::memcmp(header.magic, recording::kMagic, sizeof header.magic) != 0) {
    return incompatible(
        fmt::format("not a recording: it begins with the bytes {}", printable_magic(header.magic)));
  }
  if (header.version != recording::kVersion) {
    return incompatible(
        fmt::format("recording version {}, this offheap reads {}", header.version, recording::kVersion),
        "use the offheap that came with that libshim");
  }
  if (header.header_bytes != sizeof(recording::Header) || header.recording_bytes != sizeof(Recording)) {
    return incompatible(fmt::format("recording of {} bytes with a header of {}, this offheap reads {} "
                                    "with {}",
                                    header.recording_bytes, header.header_bytes, sizeof(Recording),
                                    sizeof(recording::Header)),
                        "use the offheap that came with that libshim");
  }
  if (image.size() < sizeof(Recording)) {
    return incompatible(
        fmt::format("the recording is cut short: {} of {} bytes", image.size(), sizeof(Recording)),
        "copy the whole file again");
  }
  std::memcpy(static_cast<void*>(out), image.data(), sizeof(Recording));
  return std::nullopt;
}

/// Walks one copied recording and fills one Snapshot.
class Parser {
 public:
  explicit Parser(const Recording& raw) : raw_(raw), header_(raw.header) {}

  Snapshot run() {
    header();
    read_counters(raw_, &out_);
    modules();
    sites();
    samples();
    mappings();
    backend_ranges();
    timeline();
    out_.taken_time_ns = latest_time();
    return std::move(out_);
  }

 private:
  void header() {
    out_.pid = header_.pid;
    out_.parent_pid = header_.parent_pid;
    out_.process_start_ticks = header_.process_start_ticks;
    out_.start_time_ns = header_.start_time_ns;
    out_.start_realtime_ns = header_.start_realtime_ns;
    out_.flags = header_.flags;
    out_.backend_kind = header_.backend_kind;
    if (static_cast<std::uint32_t>(out_.backend_kind) >
        static_cast<std::uint32_t>(recording::BackendKind::kForeign)) {
      out_.backend_kind = recording::BackendKind::kUnset;
      ++out_.rejected_count;
    }
    out_.java_frames = header_.java_frames;
    if (static_cast<std::uint32_t>(out_.java_frames) >
        static_cast<std::uint32_t>(recording::JavaFrames::kSelfCheck)) {
      out_.java_frames = recording::JavaFrames::kNoVm;
      ++out_.rejected_count;
    }
    out_.java_version = header_.java_version;
    out_.java_missing = field_text(header_.java_missing);
    out_.backend_name = field_text(header_.backend_name);
    out_.command = field_text(header_.command);
    out_.sample_mean_bytes = header_.sample_mean_bytes;
    out_.sample_fixed = header_.sample_fixed != 0;
    out_.direct_mapped_bytes = header_.direct_mapped_bytes;
    out_.backend = header_.backend;
    out_.losses = header_.losses;
    out_.self = header_.self;
  }

  std::uint64_t time_of(std::uint32_t born_ms) const {
    return header_.start_time_ns + born_ms * kNsPerMs;
  }

  void modules() {
    for (const recording::Module& module : raw_.modules) {
      if (module.begin == 0) continue;
      if (!valid_range(module.begin, module.end) || module.path_length > sizeof module.path ||
          module.build_id_length > sizeof module.build_id) {
        ++out_.rejected_count;
        continue;
      }
      constexpr std::uint64_t kFarFuture = std::uint64_t{1} << 40;  // 35 years in milliseconds
      RecordedModule& read = out_.modules.emplace_back();
      read.range = {module.begin, module.end};
      read.load_bias = module.load_bias;
      read.path = field_text(module.path, module.path_length);
      read.build_id.assign(module.build_id, module.build_id + module.build_id_length);
      read.unloaded = module.unloaded_ms != 0;
      read.loaded_ns = header_.start_time_ns + std::min(module.loaded_ms, kFarFuture) * kNsPerMs;
      if (read.unloaded)
        read.unloaded_ns = header_.start_time_ns + std::min(module.unloaded_ms, kFarFuture) * kNsPerMs;
    }
  }

  // The table is addressed by hash, so used slots stand anywhere; out_.sites holds them without gaps.
  void sites() {
    dense_index_.assign(recording::kSiteCapacity, kUnmappedSite);
    for (std::uint32_t i = 0; i < recording::kSiteCapacity; ++i) {
      const recording::Site& site = raw_.sites[i];
      if (site.hash == 0) continue;
      if (site.frame_count > recording::kMaxSiteWords || site.frame_begin > recording::kFrameCapacity ||
          site.frame_count > recording::kFrameCapacity - site.frame_begin) {
        ++out_.rejected_count;
        continue;
      }
      dense_index_[i] = static_cast<std::uint32_t>(out_.sites.size());
      append_site(site);
    }
  }

  void append_site(const recording::Site& site) {
    RecordedSite& read = out_.sites.emplace_back();
    if (!read_frames(raw_, site, &read)) ++out_.rejected_count;
    read.shortened = (site.flags & recording::kSiteShortened) != 0;
    read.truncated = read.shortened || (site.flags & recording::kSiteTruncated) != 0;
    read.incomplete = (site.flags & recording::kSiteIncomplete) != 0;
    read.mapping = (site.flags & recording::kSiteMapping) != 0;
    read.sampled_count = site.sampled_count;
    read.sampled_freed_count = site.sampled_freed_count;
    read.allocated_estimate_bytes = site.allocated_estimate_bytes;
    read.freed_estimate_bytes = site.freed_estimate_bytes;
    read.mapped_bytes = site.mapped_bytes;
    read.unmapped_bytes = site.unmapped_bytes;
  }

  /// The dense index of a site, kNoSite for none. False: the number is neither.
  bool site_index(std::uint32_t raw_index, std::uint32_t* out) const {
    *out = recording::kNoSite;
    if (raw_index == recording::kNoSite) return true;
    if (raw_index >= recording::kSiteCapacity || dense_index_[raw_index] == kUnmappedSite) return false;
    *out = dense_index_[raw_index];
    return true;
  }

  void samples() {
    for (std::uint32_t i = 0; i < recording::kLiveSampleCapacity; ++i) {
      std::uint64_t address = raw_.live_samples.addresses[i];
      if (address == 0 || address == kBeingWritten) continue;
      const recording::LiveSample& sample = raw_.live_samples.records[i];
      std::uint32_t site = 0;
      bool valid = address < kAddressLimit && sample.requested_bytes < kAddressLimit &&
                   site_index(sample.site, &site) && std::isfinite(sample.mean_bytes) &&
                   sample.mean_bytes >= 0 && sample.mean_bytes < 0x1p57F &&
                   sample.requested_bytes + sample.slack_bytes > 0;
      if (!valid) {
        ++out_.rejected_count;
        continue;
      }
      out_.samples.push_back({.address = address,
                              .site = site,
                              .requested_bytes = sample.requested_bytes,
                              .usable_bytes = sample.requested_bytes + sample.slack_bytes,
                              .mean_bytes = static_cast<double>(sample.mean_bytes),
                              .born_ns = time_of(sample.born_ms)});
    }
  }

  void mappings() {
    for (const recording::DirectMapping& mapping : raw_.direct_mappings) {
      if (mapping.begin == 0 || mapping.begin == kBeingWritten) continue;
      std::uint32_t site = 0;
      if (mapping.length > kAddressLimit ||
          !valid_range(mapping.begin, mapping.begin + mapping.length) ||
          !site_index(mapping.site, &site)) {
        ++out_.rejected_count;
        continue;
      }
      out_.mappings.push_back({.range = {mapping.begin, mapping.begin + mapping.length},
                               .site = site,
                               .born_ns = time_of(mapping.born_ms)});
    }
  }

  void backend_ranges() {
    for (const recording::BackendRange& range : raw_.backend_ranges) {
      if (range.begin == 0) continue;
      if (valid_range(range.begin, range.end))
        out_.backend_ranges.push_back({range.begin, range.end});
      else
        ++out_.rejected_count;
    }
    std::sort(out_.backend_ranges.begin(), out_.backend_ranges.end(),
              [](const Range& a, const Range& b) { return a.begin < b.begin; });
  }

  // Entries being written are skipped; while the ring is thinned an entry may stand in it twice.
  void timeline() {
    TimelineScale scale = timeline_scale(raw_, out_);
    std::uint32_t count = std::min(raw_.timeline.count, recording::kTimelineCapacity);
    if (count != raw_.timeline.count) ++out_.rejected_count;
    for (std::uint32_t i = 0; i < count; ++i) {
      const recording::TimelineEntry& entry = raw_.timeline.entries[i];
      if (entry.sequence % 2 != 0 || entry.time_ns == 0) continue;
      out_.timeline.push_back(usable_point(entry, scale));
    }
    std::stable_sort(out_.timeline.begin(), out_.timeline.end(),
                     [](const auto& a, const auto& b) { return a.time_ns < b.time_ns; });
    auto same_time = [](const auto& a, const auto& b) { return a.time_ns == b.time_ns; };
    out_.timeline.erase(std::unique(out_.timeline.begin(), out_.timeline.end(), same_time),
                        out_.timeline.end());
  }

  std::uint64_t latest_time() const {
    std::uint64_t latest = std::max(header_.start_time_ns, header_.backend.time_ns);
    for (const auto& point : out_.timeline) latest = std::max(latest, point.time_ns);
    for (const auto& sample : out_.samples) latest = std::max(latest, sample.born_ns);
    for (const auto& mapping : out_.mappings) latest = std::max(latest, mapping.born_ns);
    return latest;
  }

  const Recording& raw_;
  const recording::Header& header_;
  Snapshot out_;
  std::vector<std::uint32_t> dense_index_;
};

}  // namespace

Result<Snapshot> parse_recording(std::span<const std::byte> image) {
  auto raw = std::make_unique<Recording>();
  if (auto error = copy_checked(image, raw.get())) return *std::move(error);
  return Parser(*raw).run();
}

}  // namespace offheap
