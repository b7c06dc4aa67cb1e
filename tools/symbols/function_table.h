// SPDX-License-Identifier: Apache-2.0
//
// The functions of one ELF file, sorted by address, and where to look for the file's debug file. Reads
// with libelf; every size that the file states is capped, and damage means "no names", never a crash.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apart/apart.h"
#include "base/units.h"

namespace offheap {

struct FunctionSymbol {
  Address begin = 0;  ///< ELF virtual address
  Bytes size = 0;     ///< 0 = up to the next one
  std::string name;   ///< mangled
};

/// What was read of one ELF file.
struct FunctionTable {
  std::vector<FunctionSymbol> functions;  ///< ascending by address; one name an address
  std::vector<std::uint8_t> build_id;     ///< empty = the file has none
  std::string debug_link;                 ///< .gnu_debuglink's file name
  bool has_symtab = false;                ///< false: .dynsym only
};

/// Reads the regular file `fd`, in this process: for files of a target take the one below.
///
/// Errors: nothing when libelf does not understand it; else a table with what could be read.
/// Thread: any; no shared state.
/// Source: elf(5); gabi "Symbol Table"; gdb's manual "Debugging Information in Separate Files".
std::optional<FunctionTable> read_function_table(int fd);

/// Reads `path` within `root` (apart/target_file.h), in a child that can do nothing else.
///
/// Errors: nothing also when the file cannot be opened, or made the child fail or pass `limits`.
std::optional<FunctionTable> read_target_functions(const std::string& root, const std::string& path,
                                                   const ApartLimits& limits = {});

/// The function that holds `address`, or null.
const FunctionSymbol* find_function(const FunctionTable& table, Address address);

struct TargetPath {
  std::string root;
  std::string path;
};

/// Where a debug file may stand, best first: by build id, then by debug link.
std::vector<TargetPath> debug_file_candidates(const FunctionTable& table, const std::string& path,
                                              const std::string& root,
                                              const std::vector<std::string>& debug_directories);

}  // namespace offheap
