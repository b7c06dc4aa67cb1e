// SPDX-License-Identifier: Apache-2.0
//
// Verdicts: named causes with their bytes, arithmetic, remedy and proof. judge() is a pure function
// over Evidence; docs/verdicts.md states each rule in words and must change with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verdict/evidence.h"

namespace offheap {

enum class VerdictKind : std::uint8_t {
  kLeak,
  kRetention,
  kFragmentation,
  kThreadStacks,
  kMmapGrowth,
  kMappedFiles,
  kTmpfs,
  kHugePages,
  kPageCache,
  kKernelMemory,
  kOtherProcess,
  kLimitTooSmall,
  kUnobservedAllocator,
  kJavaHeap,
  kJavaMetaspace,
  kJavaCodeCache,
  kDirectBuffers,
  kHealthy,
  kUndecided,
};
inline constexpr std::size_t kVerdictKindCount = 19;

/// The name of a kind in output and in --fail-on, stable.
std::string_view verdict_name(VerdictKind kind);
std::optional<VerdictKind> verdict_by_name(std::string_view name);

struct Verdict {
  VerdictKind kind = VerdictKind::kUndecided;
  Bytes bytes = 0;
  double confidence = 0;  ///< 0..1
  std::string summary;    ///< the arithmetic, in numbers
  std::vector<std::string> evidence;
  std::string remedy;
  Bytes predicted_saving_bytes = 0;  ///< of resident memory, when the remedy is applied
  std::string proof;                 ///< the command that proves or refutes it
};

// A cause below both is not worth a line: the larger of 8 MiB and 5 % of RSS.
inline constexpr Bytes kFindingBytes = Bytes{8} << 20;
inline constexpr double kFindingShare = 0.05;

// leak, mmap-growth
inline constexpr double kLeakBirthShare = 0.08;  ///< each window of births holds at least this share
inline constexpr Bytes kLeakSiteBytes = Bytes{256} << 10;
inline constexpr double kMostOfGrowthShare =
    0.5;  ///< sites below this share of the growth do not explain it
inline constexpr double kGrowthOfTotal = 1.5;  ///< a site cannot grow faster than this times the total
inline constexpr double kSureGrowthShare =
    0.5;  ///< low end of growth / growth, when the total is level
// thread-stacks
inline constexpr std::uint64_t kManyThreads = 64;
inline constexpr double kManyStackShare = 0.20;
// mapped-files, tmpfs
inline constexpr double kMostOfRssShare = 0.40;
inline constexpr double kTmpfsShare = 0.20;
// page-cache, kernel-memory, other-process: shares of the container's charge
inline constexpr double kPageCacheShare = 0.40;
inline constexpr double kKernelShare = 0.20;
inline constexpr double kOtherProcessShare = 0.20;
// limit-too-small
inline constexpr double kNearLimitShare = 0.90;
/// A cause whose remedy saves more than this share of the limit comes before "the limit is too small".
inline constexpr double kLimitSavingShare = 0.10;
// java-heap, java-metaspace, java-code-cache, direct-buffers
inline constexpr double kJavaHeapShare = 0.50;
inline constexpr double kJavaPartShare = 0.25;
inline constexpr double kDirectShare = 0.20;
inline constexpr double kCodeFullShare = 0.90;
inline constexpr Bytes kCodeGrowthBytes = Bytes{4} << 20;
inline constexpr std::uint64_t kMoreLoaders = 10;
// healthy
inline constexpr Bytes kSmallLiveBytes = Bytes{32}
                                         << 20;  ///< less cannot be a leak worth a second look
// unobserved-allocator
inline constexpr double kUnobservedShare = 0.30;

/// What makes a recording of a target that has none, in words with the commands.
std::string how_to_record(const Evidence& evidence);

/// The verdicts, main cause first; never empty: `healthy` or `undecided` when no cause stands out.
///
/// Errors: never fails. Missing evidence removes rules, and is named where it leaves a doubt.
/// Thread: any; no shared state.
std::vector<Verdict> judge(const Evidence& evidence);

/// What counts as a finding in this process: the larger of kFindingBytes and kFindingShare of RSS.
Bytes finding_threshold(const Evidence& evidence);

}  // namespace offheap
