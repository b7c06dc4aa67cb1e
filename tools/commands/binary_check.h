// SPDX-License-Identifier: Apache-2.0
//
// Whether a preload can take effect in an executable, read from the file itself: ld.so only warns, or
// says nothing at all.
#pragma once

#include <string>

#include "base/result.h"

namespace offheap {

struct BinaryFacts {
  std::string path;
  std::string script_interpreter;  ///< of "#!": the facts below are then of this file
  bool elf = false;
  bool x86_64 = false;     ///< 64-bit little-endian x86-64, as libshim.so is
  bool is_static = false;  ///< no PT_INTERP and no ld.so by another way: the preload has no effect
  bool musl = false;
  bool exports_malloc = false;  ///< its own malloc comes before any preload in symbol lookup
  bool gains_rights = false;    ///< setuid, setgid or file capabilities would set AT_SECURE for us
  std::string interpreter;
};

/// Reads `path` below `root` (apart/target_file.h; "" = this machine), following up to four "#!" lines,
/// in a child that can do nothing else.
///
/// Errors: kUsage when there is no such file, it cannot be read, or it is neither ELF nor a script.
Result<BinaryFacts> inspect_binary(const std::string& path, const std::string& root = "");

/// What the child of inspect_binary reads of the file and sends.
std::string binary_message(int input);

/// The file that execvp would start for `command`, or an error that names what was searched.
Result<std::string> find_in_path(const std::string& command);

/// Why a preload would have no effect, with a remedy; nothing when it would. "Own malloc" is no such
/// reason: the shim is loaded and says so in the recording.
Result<bool> preload_works(const BinaryFacts& facts);

}  // namespace offheap
