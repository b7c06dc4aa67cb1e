// SPDX-License-Identifier: Apache-2.0
//
// The shim's options, from OFFHEAP_* of the initial environment. A value that cannot be read is
// complained of once on fd 2 and replaced by the default: options never stop a program.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "backends/backend.h"

namespace shim {

struct Options {
  backends::Choice backend;
  const char* record_directory = nullptr;  ///< OFFHEAP_RECORD; null = memfd
  const char* only = nullptr;    ///< OFFHEAP_ONLY; comma-separated globs, null = every program
  uint64_t sample_bytes = 0;     ///< OFFHEAP_SAMPLE: fixed mean; 0 = adaptive
  bool sampling = true;          ///< OFFHEAP_SAMPLE=off
  uint32_t budget_ppm = 10'000;  ///< OFFHEAP_BUDGET: CPU share for sampling, percent; 1 % = 10,000
};

using Lookup = const char* (*)(const char* name);

/// Reads all options through `lookup`. Complaints are appended to `complaint`, one a line.
///
/// Units:  sizes take an optional K, M or G (KiB, MiB, GiB).
/// Errors: never fails; see above.
/// Alloc: none. Thread: any.
Options parse_options(Lookup lookup, char* complaint, size_t complaint_bytes);

/// Whether `name` matches one of the comma-separated patterns, in which * stands for any run.
bool matches_any(const char* patterns, const char* name);

}  // namespace shim
