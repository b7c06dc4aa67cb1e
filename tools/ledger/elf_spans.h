// SPDX-License-Identifier: Apache-2.0
//
// Where mapped ELF files end. A file's bss is anonymous memory behind its last mapping; how far it goes
// is said by p_memsz of its program headers, and by nothing else: malloc's own mappings often follow
// directly, and the kernel merges the two into one mapping.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "procfs/mapping.h"
#include "procfs/memory_reader.h"

namespace offheap {

struct ElfSpan {
  Range range;  ///< one PT_LOAD segment, whole pages
  std::string path;
};

struct ElfFiles {
  std::set<std::string> paths;  ///< mapped files that are ELF
  std::vector<ElfSpan> spans;
};

/// Reads the program headers of every mapped ELF file from the target's memory.
///
/// Errors: never fails; headers that are unreadable or absurd leave the file without spans.
ElfFiles find_elf_files(const std::vector<Mapping>& mappings, const MemoryReader& memory);

}  // namespace offheap
