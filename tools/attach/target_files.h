// SPDX-License-Identifier: Apache-2.0
//
// Directories and files as the target sees them: below its own root, in its own mount namespace. What
// lies there is the target's to arrange, so no symbolic link of its may lead us out of its root.
#pragma once

#include <string>

#include "base/result.h"
#include "procfs/process.h"
#include "procfs/text_file.h"

namespace offheap {

/// The directory `path` (absolute, as the target sees it), open for *at() calls.
///
/// Errors: kUnreadable: no right to the target's root (names it), no such directory.
Result<Descriptor> open_directory_in_target(const Process& process, const std::string& path);

/// The target's working directory, open for *at() calls.
///
/// Errors: as above.
Result<Descriptor> open_working_directory(const Process& process);

}  // namespace offheap
