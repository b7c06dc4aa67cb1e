// SPDX-License-Identifier: Apache-2.0
#include "commands/site_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "ledger/ledger.h"
#include "recording/frames.h"

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

Frame mark(std::string text) {
  return {.function = "[" + std::move(text) + "]", .module = "", .kind = "mark"};
}

Frame java_frame(const RecordedJavaFrame& recorded) {
  switch (recorded.kind) {
    case recording::kJavaFrozen:
      return mark("virtual thread: frames kept in the Java heap");
    case recording::kJavaNotWalkable:
      return mark("java: stack not walkable");
    case recording::kJavaNativeCut:
      return mark("native frames missing");
    default:
      break;
  }
  Frame frame{.function = recorded.name.empty() ? "[java: name not kept]" : recorded.name,
              .module = "",
              .kind = "java"};
  if (recorded.kind == recording::kJavaBytecode) frame.bci = recorded.bci;
  return frame;
}

/// A method of the program: the JDK's say little about whose memory it is.
bool is_own_java(const Frame& frame) {
  constexpr std::array<std::string_view, 4> packages = {"java.", "javax.", "jdk.", "sun."};
  return frame.kind == "java" &&
         std::none_of(packages.begin(), packages.end(),
                      [&](std::string_view package) { return frame.function.starts_with(package); });
}

/// Why a Java process's stacks have no Java frames; empty when they have, or where there is no Java.
std::string java_note(const Snapshot& snapshot) {
  using recording::JavaFrames;
  switch (snapshot.java_frames) {
    case JavaFrames::kNoTables:
      return "no Java frames: this Java VM is not HotSpot, or does not describe itself";
    case JavaFrames::kOtherVersion:
      return fmt::format("no Java frames: the stacks of JDK {} cannot be followed; 17, 21 and 25 can",
                         snapshot.java_version);
    case JavaFrames::kNoField:
      return fmt::format("no Java frames: the VM's tables lack {}", snapshot.java_missing);
    case JavaFrames::kNoThread:
      return "no Java frames: the VM's thread pointer was not found";
    case JavaFrames::kSelfCheck:
      return "no Java frames from some time on: too many Java stacks did not lead to their thread's "
             "first frame";
    default:
      return {};
  }
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
  for (const RecordedJavaFrame& java : snapshot_.sites[site].java_frames)
    frames.push_back(java_frame(java));
  return frames;
}

std::string SiteNames::allocated_by(std::uint32_t site) {
  if (site >= snapshot_.sites.size()) return {};
  switch (offheap::allocated_by(snapshot_.sites[site])) {
    case AllocatedBy::kDirectBuffer:
      return "direct-buffer";
    case AllocatedBy::kUnsafe:
      return "unsafe";
    case AllocatedBy::kJni:
      return "jni";
    case AllocatedBy::kOther:
      break;
  }
  return {};
}

std::vector<std::string> SiteNames::notes() const {
  std::vector<std::string> notes = symbolizer_.notes();
  if (auto note = java_note(snapshot_); !note.empty()) notes.push_back(std::move(note));
  return notes;
}

// With Java frames: the native leaf, then the program's own methods rather than the JDK's.
std::string SiteNames::place(std::uint32_t site) {
  constexpr std::size_t kShown = 3;
  const auto all = frames(site);
  const bool java = std::any_of(all.begin(), all.end(), is_own_java);
  auto at =
      std::find_if(all.begin(), all.end(), [](const Frame& frame) { return !is_plumbing(frame); });
  if (at == all.end()) at = all.begin();
  std::string place;
  for (std::size_t i = 0; i < kShown && at != all.end(); ++at) {
    if (i != 0 && java && !is_own_java(*at)) continue;
    place += (i++ == 0 ? "" : " < ") + at->function;
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
