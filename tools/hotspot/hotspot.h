// SPDX-License-Identifier: Apache-2.0
//
// Reads a running HotSpot JVM from outside: no attach, no agent, no restart, no pause. Start reading
// here; README.md is the map.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "hotspot/careful_memory.h"
#include "hotspot/hotspot_report.h"
#include "hotspot/vm.h"
#include "procfs/mapping.h"
#include "procfs/process.h"

namespace offheap {

/// The path of the mapped libjvm.so; empty when the process is no HotSpot JVM.
std::string libjvm_path(std::span<const Mapping> mappings);

/// A JVM whose tables have been found. Reads lazily, through a cache: one object a look.
class Hotspot {
 public:
  /// Nothing when libjvm.so is not mapped or its tables make no sense. `memory` and `mappings` must
  /// outlive it; `file` may be empty.
  static std::unique_ptr<Hotspot> find(const MemoryReader& memory, std::span<const Mapping> mappings,
                                       FileReader file);
  ~Hotspot();

  /// Everything but what has to be inferred.
  [[nodiscard]] HotspotReport read() const;

  /// The collector's tables among `unowned` memory; see gc_structures.h.
  [[nodiscard]] std::vector<JavaRange> infer(std::span<const Range> unowned) const;

 private:
  Hotspot(const MemoryReader& memory, std::span<const Mapping> mappings, std::string library,
          FileReader file);
  std::string library_;
  std::span<const Mapping> mappings_;
  CarefulMemory memory_;
  std::optional<VmTables> tables_;
  std::optional<Vm> vm_;
};

/// Reads the file behind a mapped libjvm.so of a live process, deleted or not; empty when that is not
/// permitted.
FileReader open_libjvm(const Process& process, const MemoryReader& memory,
                       std::span<const Mapping> mappings);

}  // namespace offheap
