// SPDX-License-Identifier: Apache-2.0
//
// What a whole report says beyond its lines: the page size that its figures prove, sums of its table,
// and what the table knows of the victims.
#pragma once

#include <vector>

#include "oomlog/report.h"

namespace offheap {

/// Fills what follows from `rows`, the report's task table, which is used up.
void finish_report(OomReport& report, std::vector<OomTask>& rows);

}  // namespace offheap
