// SPDX-License-Identifier: Apache-2.0
//
// What is known of a HotSpot JVM from outside, as plain data. Everything that could not be read is
// absent, never guessed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/units.h"

namespace offheap {

/// What a range of the JVM's own memory is for.
enum class JavaPart : std::uint8_t { kHeap, kCodeCache, kMetaspace, kClassSpace, kCds, kGc, kOther };

struct JavaRange {
  Range range;  ///< whole pages; reserved memory, of which any part may be resident
  JavaPart part = JavaPart::kOther;
  std::string label;
};

using FlagValue = std::variant<bool, std::int64_t, std::uint64_t, double, std::string>;

struct VmFlag {
  FlagValue value;
  bool set_by_user =
      false;  ///< on the command line, in a file or an environment variable, or by attach
};
using VmFlags = std::map<std::string, VmFlag>;

struct JavaHeap {
  Bytes reserved_bytes = 0;
  Bytes committed_bytes = 0;
  std::optional<Bytes> used_bytes;  ///< live and dead objects, as the collector last counted them
};

struct CodeHeap {
  std::string name;
  Bytes reserved_bytes = 0;
  Bytes committed_bytes = 0;
  Bytes used_bytes = 0;
};

struct MetaspaceArea {
  Bytes reserved_bytes = 0;
  Bytes committed_bytes = 0;
};

/// A thread that runs Java code. VM and GC threads are not among them.
struct JavaThreadInfo {
  std::uint32_t tid = 0;  ///< in the target's own pid namespace
  std::string name;       ///< java.lang.Thread's name; empty when it could not be read
  Range stack;            ///< empty when it makes no sense
};

/// java.nio.Bits' own count of direct buffers.
struct DirectMemory {
  Bytes limit_bytes = 0;
  std::optional<Bytes> reserved_bytes;  ///< with page alignment, what the limit is compared with
  std::optional<Bytes> capacity_bytes;  ///< what the program asked for
  std::optional<std::uint64_t> count;
};

struct ClassLoading {
  std::uint64_t loader_count = 0;
  std::uint64_t class_count = 0;
  bool complete = false;  ///< every loader and class was counted
};

struct HotspotReport {
  std::string version;  ///< "17.0.15"
  std::string release;  ///< "17.0.15+6-Debian-1"
  std::string gc;       ///< "Serial", "Parallel", "G1", "ZGC", "Shenandoah", "Epsilon"
  VmFlags flags;        ///< all of them
  std::optional<JavaHeap> heap;
  std::vector<CodeHeap> code_heaps;
  std::optional<MetaspaceArea> metaspace;
  std::optional<MetaspaceArea> class_space;
  std::optional<DirectMemory> direct;
  ClassLoading classes;
  std::vector<JavaThreadInfo> threads;
  std::vector<JavaRange> ranges;  ///< in labelling order: an earlier one wins
};

/// The flag's value as a number; `otherwise` when it is none or unknown.
std::uint64_t flag_number(const VmFlags& flags, std::string_view name, std::uint64_t otherwise);
bool flag_is_on(const VmFlags& flags, std::string_view name);

}  // namespace offheap
