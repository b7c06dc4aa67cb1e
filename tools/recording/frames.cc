// SPDX-License-Identifier: Apache-2.0
#include "recording/frames.h"

#include <algorithm>
#include <optional>

namespace offheap {
namespace {

using recording::Recording;

bool is_mark(std::uint32_t kind) {
  return kind == recording::kJavaFrozen || kind == recording::kJavaNotWalkable ||
         kind == recording::kJavaNativeCut;
}

/// The name as Java writes it; nothing when the entry is out of bounds. Empty where it did not fit.
std::optional<std::string> java_name(const Recording& raw, std::uint32_t id) {
  if (id == recording::kNoJavaName) return std::string();
  const recording::JavaName& entry = raw.java_names[id];
  if (entry.length == 0 || entry.length > recording::kJavaNameLength ||
      entry.begin > recording::kJavaNameBytes ||
      entry.length > recording::kJavaNameBytes - entry.begin) {
    return std::nullopt;
  }
  std::string name(raw.java_name_text + entry.begin, entry.length);
  std::replace(name.begin(), name.end(), '/', '.');
  return name;
}

bool add_java_frame(const Recording& raw, std::uint32_t packed, RecordedSite* out) {
  const std::uint32_t kind = packed >> recording::kJavaKindShift;
  const std::uint32_t id = (packed >> recording::kJavaBciBits) & (recording::kJavaNameCapacity - 1);
  const std::uint32_t bci = packed & ((1U << recording::kJavaBciBits) - 1);
  RecordedJavaFrame frame;
  frame.kind = static_cast<recording::JavaFrameKind>(kind);
  if (!is_mark(kind)) {
    if (kind == recording::kJavaNone || kind > recording::kJavaNoBytecode) return false;
    auto name = java_name(raw, id);
    if (!name) return false;
    frame.name = std::move(*name);
    if (kind == recording::kJavaBytecode) frame.bci = bci;
  }
  out->java_frames.push_back(std::move(frame));
  return true;
}

bool add_java_word(const Recording& raw, std::uint64_t word, RecordedSite* out) {
  constexpr std::uint32_t kFrameMask = 0x7fffffff;
  const auto second = static_cast<std::uint32_t>(word) & kFrameMask;
  if (!add_java_frame(raw, static_cast<std::uint32_t>(word >> 32) & kFrameMask, out)) return false;
  return second == 0 || add_java_frame(raw, second, out);
}

}  // namespace

bool read_frames(const Recording& raw, const recording::Site& site, RecordedSite* out) {
  const std::uint64_t* words = raw.frames + site.frame_begin;
  for (std::uint32_t i = 0; i < site.frame_count; ++i) {
    const bool java = (words[i] & recording::kJavaFrameBit) != 0;
    if (java && !add_java_word(raw, words[i], out)) return false;
    if (!java && !out->java_frames.empty()) return false;
    if (!java) out->frames.push_back(words[i]);
  }
  return true;
}

// Unsafe is a thin door: what stands behind it says whose memory it is.
AllocatedBy allocated_by(const RecordedSite& site) {
  auto is_unsafe = [](const RecordedJavaFrame& frame) {
    return frame.name.find("misc.Unsafe.") != std::string::npos;
  };
  const auto& frames = site.java_frames;
  if (frames.empty()) return AllocatedBy::kOther;
  const auto user = std::find_if_not(frames.begin(), frames.end(), is_unsafe);
  if (user == frames.begin()) {
    return user->kind == recording::kJavaNativeMethod ? AllocatedBy::kJni : AllocatedBy::kOther;
  }
  const bool is_buffer = user != frames.end() && user->name.starts_with("java.nio.Direct");
  return is_buffer ? AllocatedBy::kDirectBuffer : AllocatedBy::kUnsafe;
}

}  // namespace offheap
