// SPDX-License-Identifier: Apache-2.0
//
// Snapshots as files: an explanation in JSON with its raw evidence, and reading two of them back.
#pragma once

#include <string>

#include "base/result.h"
#include "commands/explain.h"
#include "render/json.h"

namespace offheap {

/// Explains the process that `target` names and writes a document to `path`: the explanation, plus
/// "raw" with every mapping. The file is written under another name first, so that a full disk never
/// leaves half a document.
Result<std::string> write_snapshot(const std::string& target, const std::string& path, bool pause);

/// A document for `offheap diff`: a snapshot file as it is, a recording explained.
///
/// Errors: kUsage when there is no such file; kIncompatible when it is neither.
Result<Json> load_document(const std::string& path);

}  // namespace offheap
