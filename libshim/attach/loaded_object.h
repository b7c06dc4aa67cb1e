// SPDX-License-Identifier: Apache-2.0
//
// What must be known of a loaded object to change its slots: where its relocations are, which of its
// memory may be written, and which of that the loader has made read-only again (RELRO).
#pragma once

#include <link.h>
#include <stdint.h>

namespace shim {

struct Relocations {
  const Elf64_Rela* first;
  uint64_t count;
};

struct LoadedObject {
  uint64_t base;
  const Elf64_Phdr* segments;
  uint32_t segment_count;
  Relocations calls;   ///< DT_JMPREL
  Relocations others;  ///< DT_RELA, without the relative ones that stand first
  const Elf64_Sym* symbols;
  const char* names;
  const uint32_t* name_hashes;  ///< DT_GNU_HASH, null where there is none
  uint64_t relro_begin;         ///< whole pages; equal where there are none
  uint64_t relro_end;
};

/// Reads the object's dynamic section. Inside a dl_iterate_phdr callback, where it cannot be unloaded.
/// False: it has no relocations of the kind that is known here.
/// Source: System V gABI chapter 5; glibc elf/get-dynamic-info.h (pointers are relocated in place).
bool read_object(const dl_phdr_info* info, LoadedObject* out);

/// Whether a word at `address` lies in a segment that is meant to be written.
bool is_data(const LoadedObject& object, uint64_t address);

/// Whether `address` lies in any segment.
bool holds(const LoadedObject& object, uint64_t address);

/// Whether the object itself defines the function `name`; true too where that cannot be told.
bool may_define(const LoadedObject& object, const char* name);

}  // namespace shim
