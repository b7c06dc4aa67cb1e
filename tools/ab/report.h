// SPDX-License-Identifier: Apache-2.0
//
// A comparison as JSON, text and picture, and the decision that it supports. All pure: the same rows
// give the same bytes. Names and problems in it come from programs and are hostile: every form escapes
// them.
#pragma once

#include <string>

#include "ab/comparison.h"

namespace offheap::ab {

/// Schema "offheap.ab/1": provenance, entries with their summaries, ratios, recommendation, rows.
Json comparison_json(const Comparison& comparison);

/// Within 100 columns; the recommendation first.
std::string comparison_text(const Comparison& comparison, bool colours);

/// One file that needs no other and no network.
std::string comparison_html(const Comparison& comparison);

/// The name of the entry to switch to; empty = stay with the first.
std::string recommended_entry(const Comparison& comparison);

struct Verification {
  bool held = false;
  std::string text;  ///< the lines to print
};

/// Whether `after`, new runs of the current and the recommended entry of `before`, recommends the same.
/// Entries are matched by name.
Verification verify_finding(const Comparison& before, const Comparison& after);

}  // namespace offheap::ab
