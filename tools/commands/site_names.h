// SPDX-License-Identifier: Apache-2.0
//
// Names for a snapshot's sites: frames for printing, and one line for summaries.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "recording/snapshot.h"
#include "render/explanation.h"
#include "symbols/symbolizer.h"

namespace offheap {

class SiteNames {
 public:
  /// `root`: /proc/PID/root of a living target, "" for a recording whose files are on this machine.
  SiteNames(const Snapshot& snapshot, std::string root);

  /// The frames of a site, leaf first, without the shim's own.
  std::vector<Frame> frames(std::uint32_t site);

  /// "direct-buffer", "unsafe" or "jni" where Java frames say so, else empty.
  std::string allocated_by(std::uint32_t site);

  /// "f < g < h": the first three frames that are the program's and not the allocator's or operator
  /// new's. "a site without names" when there are none.
  std::string place(std::uint32_t site);

  /// "allocated by ..." for the sampled block at `address`, "next to it: ..." for one on the same or
  /// the next page, else empty.
  std::string place_of_block(Address address);

  /// What is missing in the names, and why.
  [[nodiscard]] std::vector<std::string> notes() const;

 private:
  const Snapshot& snapshot_;
  Symbolizer symbolizer_;
};

}  // namespace offheap
