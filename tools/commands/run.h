// SPDX-License-Identifier: Apache-2.0
//
// `offheap run`: starts a program with the shim preloaded.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace offheap {

struct RunOptions {
  std::string backend;  ///< empty = leave to the environment
  std::string arena_max;
  std::string sample;
  std::string record_directory;
  std::vector<std::string> command;
};

/// libshim.so: OFFHEAP_LIBSHIM, else beside this program, in ../lib or in a build tree's ../libshim.
Result<std::string> find_libshim();

/// The value of LD_PRELOAD with `shim` before what is there already, once.
std::string preload_value(const std::string& shim, const char* existing);

/// What goes into OFFHEAP_BACKEND: a known name, or an absolute path, since the program may stand
/// elsewhere. Errors: kUsage for an unknown name, with the list, and for a path without a file.
Result<std::string> resolve_backend(const std::string& backend);

/// What goes into OFFHEAP_RECORD: an absolute path. Errors: kUsage when it is not a directory, or
/// nothing can be written there.
Result<std::string> resolve_record_directory(const std::string& directory);

/// Replaces this process by the command, so that its exit status and signals are the command's own.
/// Returns only with an error.
Error run_command(const RunOptions& options);

}  // namespace offheap
