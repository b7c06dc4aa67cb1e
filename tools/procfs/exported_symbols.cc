// SPDX-License-Identifier: Apache-2.0
//
// Sources: elf(5); glibc elf/dl-lookup.c (do_lookup_x), elf/dl-hash.h (the GNU hash).
#include "procfs/exported_symbols.h"

#include <elf.h>

#include <algorithm>
#include <span>
#include <string>

namespace offheap {
namespace {

constexpr std::size_t kProgramHeaderLimit = 64;
constexpr std::size_t kDynamicLimit = 512;
constexpr std::size_t kChainLimit = 100'000;
constexpr std::uint16_t kHiddenVersion = 0x8000;

std::uint32_t gnu_hash(std::string_view name) {
  std::uint32_t hash = 5381;
  for (const char c : name) hash = hash * 33 + static_cast<unsigned char>(c);
  return hash;
}

bool is_kind(const Elf64_Sym& symbol, ExportKind kind) {
  return ELF64_ST_TYPE(symbol.st_info) == (kind == ExportKind::kFunction ? STT_FUNC : STT_OBJECT);
}

}  // namespace

std::optional<ExportedSymbols> ExportedSymbols::load(const MemoryReader& memory, Address base) {
  ExportedSymbols symbols(memory, base);
  if (!symbols.load_tables()) return std::nullopt;
  return symbols;
}

bool ExportedSymbols::load_tables() {
  const auto header = memory_->read_value<Elf64_Ehdr>(base_);
  if (!header || std::string_view(reinterpret_cast<const char*>(header->e_ident), 4) != ELFMAG ||
      header->e_ident[EI_CLASS] != ELFCLASS64)
    return false;
  std::optional<Elf64_Phdr> dynamic;
  std::optional<Address> first;
  for (std::size_t i = 0; i < std::min<std::size_t>(header->e_phnum, kProgramHeaderLimit); ++i) {
    const auto segment =
        memory_->read_value<Elf64_Phdr>(base_ + header->e_phoff + i * sizeof(Elf64_Phdr));
    if (!segment) return false;
    if (segment->p_type == PT_DYNAMIC) dynamic = segment;
    if (segment->p_type == PT_LOAD && !first) first = segment->p_vaddr / kPageBytes * kPageBytes;
  }
  if (!dynamic || !first) return false;
  bias_ = base_ - *first;
  return read_dynamic(bias_ + dynamic->p_vaddr);
}

std::optional<Address> ExportedSymbols::find(std::string_view name, ExportKind kind) const {
  const auto bucket_count = word(hash_);
  const auto first_hashed = word(hash_ + 4);
  const auto bloom_words = word(hash_ + 8);
  if (bucket_count == 0) return std::nullopt;
  const Address buckets = hash_ + 16 + Bytes{8} * bloom_words;
  const Address chains = buckets + Bytes{4} * bucket_count;
  const std::uint32_t wanted = gnu_hash(name);
  std::uint32_t index = word(buckets + Bytes{4} * (wanted % bucket_count));
  std::optional<Address> hidden;
  for (std::size_t step = 0; index >= first_hashed && step < kChainLimit; ++step, ++index) {
    const std::uint32_t hash = word(chains + Bytes{4} * (index - first_hashed));
    if ((hash | 1) == (wanted | 1)) {
      const auto found = symbol_at(index, name, kind);
      if (found && !is_hidden(index)) return found;
      if (found) hidden = found;
    }
    if ((hash & 1) != 0) break;
  }
  return hidden;
}

bool ExportedSymbols::read_dynamic(Address table) {
  for (std::size_t i = 0; i < kDynamicLimit; ++i) {
    const auto entry = memory_->read_value<Elf64_Dyn>(table + i * sizeof(Elf64_Dyn));
    if (!entry || entry->d_tag == DT_NULL) break;
    // The loader relocates these in place, but not in a table that it keeps read-only.
    const Address value = entry->d_un.d_ptr < base_ ? entry->d_un.d_ptr + bias_ : entry->d_un.d_ptr;
    if (entry->d_tag == DT_SYMTAB) symbols_ = value;
    if (entry->d_tag == DT_STRTAB) strings_ = value;
    if (entry->d_tag == DT_GNU_HASH) hash_ = value;
    if (entry->d_tag == DT_VERSYM) versions_ = value;
  }
  return symbols_ != 0 && strings_ != 0 && hash_ != 0;
}

std::uint32_t ExportedSymbols::word(Address address) const {
  return memory_->read_value<std::uint32_t>(address).value_or(0);
}

bool ExportedSymbols::is_hidden(std::uint32_t index) const {
  if (versions_ == 0) return false;
  const auto version = memory_->read_value<std::uint16_t>(versions_ + Bytes{2} * index);
  return version && (*version & kHiddenVersion) != 0;
}

std::optional<Address> ExportedSymbols::symbol_at(std::uint32_t index, std::string_view name,
                                                  ExportKind kind) const {
  const auto symbol = memory_->read_value<Elf64_Sym>(symbols_ + index * sizeof(Elf64_Sym));
  if (!symbol || symbol->st_shndx == SHN_UNDEF || !is_kind(*symbol, kind)) return std::nullopt;
  std::string text(name.size() + 1, '?');
  const auto got = memory_->read(strings_ + symbol->st_name, std::as_writable_bytes(std::span(text)));
  if (got != text.size() || text.back() != '\0' ||
      std::string_view(text).substr(0, name.size()) != name)
    return std::nullopt;
  return bias_ + symbol->st_value;
}

}  // namespace offheap
