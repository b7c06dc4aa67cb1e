// SPDX-License-Identifier: Apache-2.0
#include "libshim/attach/loaded_object.h"

#include <string.h>

namespace shim {
namespace {

constexpr uint64_t kPageMask = ~uint64_t{4095};

struct Dynamic {
  uint64_t calls, calls_bytes, calls_kind, others, others_bytes, relative_count;
  uint64_t symbols, names, hashes;
};

void read_entry(const Elf64_Dyn& entry, Dynamic* out) {
  switch (entry.d_tag) {
    case DT_JMPREL:
      out->calls = entry.d_un.d_ptr;
      break;
    case DT_PLTRELSZ:
      out->calls_bytes = entry.d_un.d_val;
      break;
    case DT_PLTREL:
      out->calls_kind = entry.d_un.d_val;
      break;
    case DT_RELA:
      out->others = entry.d_un.d_ptr;
      break;
    case DT_RELASZ:
      out->others_bytes = entry.d_un.d_val;
      break;
    case DT_RELACOUNT:
      out->relative_count = entry.d_un.d_val;
      break;
    case DT_SYMTAB:
      out->symbols = entry.d_un.d_ptr;
      break;
    case DT_STRTAB:
      out->names = entry.d_un.d_ptr;
      break;
    case DT_GNU_HASH:
      out->hashes = entry.d_un.d_ptr;
      break;
  }
}

/// The loader relocates these pointers in place, but for objects whose dynamic section is read-only.
template <typename T>
const T* pointer(uint64_t base, uint64_t value) {
  if (!value) return nullptr;
  return reinterpret_cast<const T*>(value < base ? base + value : value);
}

void find_relro(const Elf64_Phdr& segment, LoadedObject* out) {
  out->relro_begin = (out->base + segment.p_vaddr) & kPageMask;
  out->relro_end = (out->base + segment.p_vaddr + segment.p_memsz) & kPageMask;
}

uint32_t gnu_hash(const char* name) {
  uint32_t hash = 5381;
  for (; *name; ++name) hash = hash * 33 + static_cast<uint8_t>(*name);
  return hash;
}

}  // namespace

bool read_object(const dl_phdr_info* info, LoadedObject* out) {
  *out = {};
  out->base = info->dlpi_addr;
  out->segments = info->dlpi_phdr;
  out->segment_count = info->dlpi_phnum;
  Dynamic dynamic{};
  for (uint32_t i = 0; i < out->segment_count; ++i) {
    const Elf64_Phdr& segment = out->segments[i];
    if (segment.p_type == PT_GNU_RELRO) find_relro(segment, out);
    if (segment.p_type != PT_DYNAMIC) continue;
    auto* entry = reinterpret_cast<const Elf64_Dyn*>(out->base + segment.p_vaddr);
    for (uint64_t k = 0; k < segment.p_memsz / sizeof *entry && entry[k].d_tag != DT_NULL; ++k)
      read_entry(entry[k], &dynamic);
  }
  if (dynamic.calls && dynamic.calls_kind == DT_RELA)
    out->calls = {pointer<Elf64_Rela>(out->base, dynamic.calls),
                  dynamic.calls_bytes / sizeof(Elf64_Rela)};
  uint64_t count = dynamic.others_bytes / sizeof(Elf64_Rela);
  uint64_t skipped = dynamic.relative_count < count ? dynamic.relative_count : count;
  if (dynamic.others)
    out->others = {pointer<Elf64_Rela>(out->base, dynamic.others) + skipped, count - skipped};
  out->symbols = pointer<Elf64_Sym>(out->base, dynamic.symbols);
  out->names = pointer<char>(out->base, dynamic.names);
  out->name_hashes = pointer<uint32_t>(out->base, dynamic.hashes);
  return out->symbols && out->names && (out->calls.count || out->others.count);
}

bool is_data(const LoadedObject& object, uint64_t address) {
  for (uint32_t i = 0; i < object.segment_count; ++i) {
    const Elf64_Phdr& segment = object.segments[i];
    if (segment.p_type == PT_LOAD && (segment.p_flags & PF_W) &&
        address - (object.base + segment.p_vaddr) < segment.p_memsz && address % 8 == 0)
      return true;
  }
  return false;
}

bool holds(const LoadedObject& object, uint64_t address) {
  for (uint32_t i = 0; i < object.segment_count; ++i) {
    const Elf64_Phdr& segment = object.segments[i];
    if (segment.p_type == PT_LOAD && address - (object.base + segment.p_vaddr) < segment.p_memsz)
      return true;
  }
  return false;
}

// Layout: bucket count, first hashed symbol, words of the filter, its shift; the filter's 64-bit words,
// the buckets, and one hash a symbol from the first on, whose lowest bit ends a chain.
bool may_define(const LoadedObject& object, const char* name) {
  const uint32_t* table = object.name_hashes;
  if (!table || table[0] == 0) return true;
  uint32_t hash = gnu_hash(name);
  const uint32_t* buckets = table + 4 + table[2] * 2;
  const uint32_t* chain = buckets + table[0];
  uint32_t index = buckets[hash % table[0]];
  if (index < table[1]) return false;
  for (;; ++index) {
    uint32_t seen = chain[index - table[1]];
    const Elf64_Sym& symbol = object.symbols[index];
    if ((seen | 1) == (hash | 1) && symbol.st_shndx != SHN_UNDEF &&
        strcmp(object.names + symbol.st_name, name) == 0)
      return true;
    if (seen & 1) return false;
  }
}

}  // namespace shim
