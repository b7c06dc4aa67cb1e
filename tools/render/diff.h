// SPDX-License-Identifier: Apache-2.0
//
// What grew between two explanations in JSON form (two snapshots, or two recordings explained): by
// owner, arena, site and thread. Schema "offheap.diff/1". Works on documents, so that a snapshot of an
// older offheap, with fewer keys, can still be compared.
#pragma once

#include <string>

#include "base/result.h"
#include "render/json.h"
#include "render/text.h"

namespace offheap {

/// Rows are ordered by the size of their growth, largest first; rows without growth are left out, but
/// for owners.
///
/// Errors: kIncompatible when a document is no explanation of this schema, or a key has another type.
Result<Json> diff_json(const Json& before, const Json& after);

/// A diff for people.
std::string render_diff_text(const Json& diff, const TextOptions& options);

}  // namespace offheap
