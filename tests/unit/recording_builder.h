// SPDX-License-Identifier: Apache-2.0
//
// Builds recordings as the shim would leave them, for tests of everything that reads one.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "libshim/recording_layout.h"

namespace offheap::testing {

class RecordingBuilder {
 public:
  explicit RecordingBuilder(recording::BackendKind kind = recording::BackendKind::kGlibc)
      : raw_(std::make_unique<recording::Recording>()) {
    recording::Header& header = raw_->header;
    std::memcpy(header.magic, recording::kMagic, sizeof header.magic);
    header.version = recording::kVersion;
    header.header_bytes = sizeof(recording::Header);
    header.recording_bytes = sizeof(recording::Recording);
    header.pid = 4711;
    header.start_time_ns = kStartNs;
    header.start_realtime_ns = 1'700'000'000'000'000'000;
    header.process_start_ticks = 12345;
    header.backend_kind = kind;
    header.byte_unit = kind == recording::BackendKind::kGlibc ? recording::ByteUnit::kGlibcChunk
                                                              : recording::ByteUnit::kUsable;
    header.arena_count = recording::kFirstSecondaryArena;
    header.sample_mean_bytes = 16384;
    header.page_bytes = 4096;
    set_text(header.backend_name, "test backend");
    set_text(header.command, "server --port 80");
  }

  static constexpr std::uint64_t kStartNs = 1'000'000'000'000;

  recording::Recording& raw() { return *raw_; }
  [[nodiscard]] std::span<const std::byte> image() const {
    return std::as_bytes(std::span(raw_.get(), 1));
  }

  /// A thread that has allocated and freed, all in the main arena; figures in the recording's unit.
  recording::ThreadSlot& add_thread(std::uint32_t tid, recording::ArenaCell counts,
                                    std::string_view name = "worker") {
    recording::ThreadSlot& slot = raw_->threads[raw_->header.thread_high_water++];
    slot.tid = tid;
    slot.generation = 1;
    set_counts(&slot.main, counts);
    set_text(slot.name, name);
    return slot;
  }

  void set_counts(recording::HotCell* cell, recording::ArenaCell counts) const {
    const bool chunks = raw_->header.backend_kind == recording::BackendKind::kGlibc;
    cell->countdown = 1000;  // as if a sample were due in 1000 bytes
    cell->allocated_base = static_cast<std::int64_t>(counts.in_bytes) + cell->countdown;
    cell->freed = counts.out_bytes / (chunks ? recording::kChunkWordBytes : 1);
    cell->allocated_count = counts.in_count;
    cell->freed_count = counts.out_count;
  }

  /// A site in the table's slot `index`, as a hash would place it.
  std::uint32_t add_site(std::uint32_t index, const std::vector<std::uint64_t>& frames,
                         std::uint16_t flags = 0) {
    recording::Site& site = raw_->sites[index];
    site.hash = 0x9e3779b97f4a7c15 * (index + 1);
    site.frame_begin = raw_->header.frame_count;
    site.frame_count = static_cast<std::uint16_t>(frames.size());
    site.flags = flags;
    std::memcpy(raw_->frames + site.frame_begin, frames.data(), frames.size() * sizeof(std::uint64_t));
    raw_->header.frame_count += static_cast<std::uint32_t>(frames.size());
    ++raw_->header.site_count;
    return index;
  }

  /// A Java name in the table's slot `id`.
  std::uint32_t add_java_name(std::uint32_t id, std::string_view name) {
    recording::JavaName& entry = raw_->java_names[id];
    entry.hash = id + 1;
    entry.begin = raw_->header.java_name_bytes;
    entry.length = static_cast<std::uint32_t>(name.size());
    std::memcpy(raw_->java_name_text + entry.begin, name.data(), name.size());
    raw_->header.java_name_bytes += entry.length;
    ++raw_->header.java_name_count;
    return id;
  }

  static std::uint32_t java_frame(recording::JavaFrameKind kind, std::uint32_t name = 0,
                                  std::uint32_t bci = 0) {
    return static_cast<std::uint32_t>(kind) << recording::kJavaKindShift |
           name << recording::kJavaBciBits | bci;
  }

  /// One word of a site's frames; `second` 0 = one frame only.
  static std::uint64_t java_word(std::uint32_t first, std::uint32_t second = 0) {
    return recording::kJavaFrameBit | std::uint64_t{first} << 32 | second;
  }

  recording::LiveSample& add_sample(std::uint64_t address, std::uint32_t site, std::uint64_t requested,
                                    std::uint32_t slack, float mean, std::uint32_t born_ms) {
    std::uint32_t slot = next_sample_++;
    raw_->live_samples.addresses[slot] = address;
    raw_->live_samples.records[slot] = {requested, slack, site, mean, born_ms};
    return raw_->live_samples.records[slot];
  }

  recording::DirectMapping& add_mapping(std::uint64_t begin, std::uint64_t length, std::uint32_t site,
                                        std::uint32_t born_ms) {
    recording::DirectMapping& mapping = raw_->direct_mappings[raw_->header.direct_mapping_high_water++];
    mapping = {begin, length, site, born_ms};
    return mapping;
  }

  recording::Module& add_module(std::uint64_t begin, std::uint64_t end, std::string_view path) {
    recording::Module& module = raw_->modules[raw_->header.module_count++];
    module.begin = begin;
    module.end = end;
    module.load_bias = begin;
    module.path_length = static_cast<std::uint32_t>(path.size());
    std::memcpy(module.path, path.data(), path.size());
    return module;
  }

  recording::TimelineEntry& add_tick(std::uint64_t seconds, std::uint64_t allocated,
                                     std::uint64_t freed) {
    recording::TimelineEntry& entry = raw_->timeline.entries[raw_->timeline.count++];
    entry.sequence = 2;
    entry.time_ns = kStartNs + seconds * 1'000'000'000;
    entry.allocated_bytes = allocated;
    entry.freed_bytes = freed;
    return entry;
  }

  /// A recording with something in every section, for readers that must survive any change to it.
  static RecordingBuilder populated();

 private:
  template <std::size_t N>
  static void set_text(char (&field)[N], std::string_view text) {
    std::memset(field, 0, N);
    std::memcpy(field, text.data(), std::min(N, text.size()));
  }

  std::unique_ptr<recording::Recording> raw_;
  std::uint32_t next_sample_ = 0;
};

inline RecordingBuilder RecordingBuilder::populated() {
  RecordingBuilder builder;
  recording::Recording& raw = builder.raw();
  raw.header.folded = {1 << 20, 1000, 1 << 19, 500};
  recording::ThreadSlot& slot = builder.add_thread(11, {5 << 20, 6996, 5 << 19, 3598}, "main");
  builder.set_counts(&slot.own, {2 << 20, 2000, 1 << 20, 900});
  slot.own_index = recording::kFirstSecondaryArena;
  slot.mmapped = {1 << 20, 4, 1 << 19, 2};
  slot.others[0] = {4096, 4, 2048, 2};
  slot.other_index[0] = recording::kFirstSecondaryArena + 1;
  builder.add_thread(12, {1 << 20, 100, 1 << 19, 50});
  for (std::uint32_t i = 0; i < 2; ++i) {
    raw.arenas[recording::kFirstSecondaryArena + i].address = 0x7f0000000020 + i * 0x4000000;
    ++raw.header.arena_count;
  }
  std::uint32_t leak = builder.add_site(17, {0x401000, 0x402000, 0x403000});
  std::uint32_t cache = builder.add_site(900, {0x401100, 0x402000}, recording::kSiteTruncated);
  std::uint32_t mapper = builder.add_site(4000, {0x401200}, recording::kSiteMapping);
  builder.add_java_name(77, "java/util/zip/Deflater.init");
  builder.add_java_name(78, "shop/Cache.put");
  raw.header.java_frames = recording::JavaFrames::kOn;
  raw.header.java_version = 17;
  const std::uint64_t java = java_word(java_frame(recording::kJavaNativeMethod, 77),
                                       java_frame(recording::kJavaBytecode, 78, 13));
  builder.add_site(5000, {0x401300, java, java_word(java_frame(recording::kJavaFrozen))});
  for (std::uint32_t i = 0; i < 64; ++i)
    builder.add_sample(0x10000000 + i * 4096ULL, i % 3 ? leak : cache, 1000 + i, 8, 16384, i * 100);
  builder.add_mapping(0x7f1000000000, 1 << 20, mapper, 50);
  builder.add_module(0x400000, 0x500000, "/usr/bin/server").build_id_length = 20;
  for (std::uint32_t i = 0; i < 10; ++i)
    builder.add_tick(i, (i + 1) * (1ULL << 20), i * (1ULL << 19)).sequence = i == 5 ? 3 : 2;
  raw.backend_ranges[0] = {0x7f2000000000, 0x7f2000100000};
  raw.header.backend_range_count = 1;
  return builder;
}

}  // namespace offheap::testing
