// SPDX-License-Identifier: Apache-2.0
#include "libshim/java/elf_symbols.h"

#include <elf.h>
#include <string.h>

namespace shim {
namespace {

constexpr uint32_t kChainLimit = 1u << 16;

struct Tables {
  const Elf64_Sym* symbols;
  const char* strings;
  const uint32_t* hash;  ///< bucket count, first symbol, filter words, shift; filter, buckets, chains
};

// glibc has relocated the addresses in place; another loader may not have.
uint64_t table_address(const link_map* map, uint64_t value) {
  return value < map->l_addr ? value + map->l_addr : value;
}

bool find_tables(const link_map* map, Tables* out) {
  *out = {};
  for (const Elf64_Dyn* entry = map->l_ld; entry != nullptr && entry->d_tag != DT_NULL; entry++) {
    const uint64_t address = table_address(map, entry->d_un.d_ptr);
    if (entry->d_tag == DT_SYMTAB) out->symbols = reinterpret_cast<const Elf64_Sym*>(address);
    if (entry->d_tag == DT_STRTAB) out->strings = reinterpret_cast<const char*>(address);
    if (entry->d_tag == DT_GNU_HASH) out->hash = reinterpret_cast<const uint32_t*>(address);
  }
  return out->symbols != nullptr && out->strings != nullptr && out->hash != nullptr;
}

uint32_t gnu_hash(const char* name) {
  uint32_t hash = 5381;
  for (; *name != '\0'; name++) hash = hash * 33 + static_cast<uint8_t>(*name);
  return hash;
}

}  // namespace

uint64_t exported_symbol(const link_map* map, const char* name) {
  Tables tables;
  if (!find_tables(map, &tables) || tables.hash[0] == 0) return 0;
  const uint32_t first = tables.hash[1];
  const uint32_t* buckets = tables.hash + 4 + 2 * tables.hash[2];  // filter words are of 64 bits
  const uint32_t* chains = buckets + tables.hash[0];
  const uint32_t hash = gnu_hash(name);
  uint32_t index = buckets[hash % tables.hash[0]];
  if (index < first) return 0;
  for (uint32_t i = 0; i < kChainLimit; i++, index++) {
    const uint32_t chain = chains[index - first];
    const Elf64_Sym& symbol = tables.symbols[index];
    const bool same = (chain | 1) == (hash | 1) && strcmp(tables.strings + symbol.st_name, name) == 0;
    if (same && symbol.st_shndx != SHN_UNDEF) return map->l_addr + symbol.st_value;
    if ((chain & 1) != 0) return 0;
  }
  return 0;
}

}  // namespace shim
