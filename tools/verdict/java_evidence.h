// SPDX-License-Identifier: Apache-2.0
//
// What verdicts on a JVM may rest on.
#pragma once

#include <optional>
#include <vector>

#include "hotspot/hotspot_report.h"
#include "verdict/trend.h"

namespace offheap {

struct JavaEvidence {
  HotspotReport now;
  std::optional<ClassLoading> classes_before;  ///< at the first look of --for
  std::vector<TrendPoint> metaspace_points;    ///< committed, class space included, over the looks
  std::vector<TrendPoint> code_points;         ///< code cache in use
  std::vector<TrendPoint> direct_points;       ///< direct buffers by java.nio.Bits
};

}  // namespace offheap
