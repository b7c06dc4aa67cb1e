// SPDX-License-Identifier: Apache-2.0
//
// A valid recording with damage (fuzz.h says how an input describes it), parsed and estimated, alone
// and against the undamaged one. Whatever stands in it, indices must be valid and figures finite.
#include <cmath>

#include "fuzz.h"
#include "recording/estimate.h"
#include "recording/reader.h"
#include "tests/unit/recording_builder.h"

namespace {

using offheap::SiteEstimate;
using offheap::Snapshot;
using recording::Recording;

// Where populated() puts its sites.
constexpr std::size_t kSiteSlots[] = {17, 900, 4000, 5000};
constexpr std::size_t kJavaNameSlots[] = {77, 78};

std::vector<fuzz::Section> sections() {
  std::vector<fuzz::Section> all = {
      {0, sizeof(Recording), 1},  // anywhere
      {offsetof(Recording, header), sizeof(recording::Header), 1},
      {offsetof(Recording, timeline), sizeof(recording::TimelineEntry), 16},
      {offsetof(Recording, backend_ranges), sizeof(recording::BackendRange), 4},
      {offsetof(Recording, arenas), sizeof(recording::Arena), 8},
      {offsetof(Recording, threads), sizeof(recording::ThreadSlot), 4},
      {offsetof(Recording, modules), sizeof(recording::Module), 4},
      {offsetof(Recording, direct_mappings), sizeof(recording::DirectMapping), 4},
      {offsetof(Recording, frames), sizeof(std::uint64_t), 9},
      {offsetof(Recording, live_samples.addresses), sizeof(std::uint64_t), 70},
      {offsetof(Recording, live_samples.records), sizeof(recording::LiveSample), 70},
  };
  for (std::size_t slot : kSiteSlots)
    all.push_back(
        {offsetof(Recording, sites) + slot * sizeof(recording::Site), sizeof(recording::Site), 1});
  for (std::size_t slot : kJavaNameSlots)
    all.push_back({offsetof(Recording, java_names) + slot * sizeof(recording::JavaName),
                   sizeof(recording::JavaName), 1});
  return all;
}

bool known_site(const Snapshot& snapshot, std::uint32_t site) {
  return site == recording::kNoSite || site < snapshot.sites.size();
}

void check_snapshot(const Snapshot& snapshot) {
  for (const auto& sample : snapshot.samples) {
    fuzz::require(known_site(snapshot, sample.site), "a sample's site is in the snapshot");
    fuzz::require(sample.usable_bytes >= sample.requested_bytes && sample.usable_bytes > 0,
                  "a sample's usable bytes hold what was requested");
    fuzz::require(std::isfinite(sample.mean_bytes) && sample.mean_bytes >= 0,
                  "a sample's mean is a mean");
  }
  for (const auto& mapping : snapshot.mappings) {
    fuzz::require(known_site(snapshot, mapping.site), "a mapping's site is in the snapshot");
    fuzz::require(mapping.range.begin < mapping.range.end, "a mapping is a range");
  }
  for (const auto& site : snapshot.sites) {
    fuzz::require(site.frames.size() + site.java_frames.size() / 2 <= recording::kMaxSiteWords,
                  "a site's frames are in bounds");
    for (const auto& frame : site.java_frames)
      fuzz::require(frame.name.size() <= recording::kJavaNameLength && frame.bci <= 65535 &&
                        frame.kind != recording::kJavaNone,
                    "a Java frame is one");
  }
  for (const auto& module : snapshot.modules)
    fuzz::require(module.range.begin < module.range.end && module.build_id.size() <= 20,
                  "a module is a range with a build id");
  for (std::size_t i = 1; i < snapshot.timeline.size(); ++i)
    fuzz::require(snapshot.timeline[i - 1].time_ns < snapshot.timeline[i].time_ns, "time ascends");
}

void check_estimates(const Snapshot& snapshot, const std::vector<SiteEstimate>& estimates) {
  for (const SiteEstimate& estimate : estimates) {
    fuzz::require(known_site(snapshot, estimate.site), "an estimate's site is in the snapshot");
    fuzz::require(estimate.live_bytes_low <= estimate.live_bytes &&
                      estimate.live_bytes <= estimate.live_bytes_high,
                  "live bytes are within their interval");
    fuzz::require(std::isfinite(estimate.growth_bytes_per_second) &&
                      std::isfinite(estimate.growth_low) && std::isfinite(estimate.growth_high),
                  "growth is finite");
    fuzz::require(estimate.growth_low <= estimate.growth_high, "growth has an interval");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto builder = offheap::testing::RecordingBuilder::populated();
  static const Snapshot whole = *offheap::parse_recording(builder.image());
  static fuzz::PatchedImage image(builder.image(), sections());

  auto parsed = offheap::parse_recording(image.apply({data, size}));
  if (!parsed.ok()) {
    fuzz::require(parsed.error().code == offheap::ErrorCode::kIncompatible,
                  "refusals are incompatible");
    return 0;
  }
  check_snapshot(*parsed);
  const auto totals = offheap::exact_totals(*parsed, nullptr);
  const auto whole_totals = offheap::exact_totals(whole, nullptr);
  check_estimates(*parsed, offheap::estimate_sites(*parsed, totals));
  check_estimates(*parsed, offheap::estimate_growth(whole, whole_totals, *parsed, totals));
  check_estimates(whole, offheap::estimate_growth(*parsed, totals, whole, whole_totals));
  return 0;
}
