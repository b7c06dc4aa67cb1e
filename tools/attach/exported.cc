// SPDX-License-Identifier: Apache-2.0
//
// Names to addresses, from the dynamic tables that the loader itself uses: they are in the target's
// memory, so a file that was replaced on disk, another mount namespace or a stripped library are no
// obstacle. Every word of them is hostile: each loop is bounded and each address is read, never used.
//
// Sources: elf(5); glibc elf/dl-lookup.c (do_lookup_x), elf/dl-hash.h (the GNU hash).
#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "attach/remote_call.h"

namespace offheap {
namespace {

constexpr std::size_t kProgramHeaderLimit = 64;
constexpr std::size_t kDynamicLimit = 512;
constexpr std::size_t kChainLimit = 100'000;
constexpr std::uint16_t kHiddenVersion = 0x8000;

struct DynamicTables {
  Address symbols = 0;
  Address strings = 0;
  Address hash = 0;
  Address versions = 0;
};

std::uint32_t gnu_hash(std::string_view name) {
  std::uint32_t hash = 5381;
  for (const char c : name) hash = hash * 33 + static_cast<unsigned char>(c);
  return hash;
}

class Library {
 public:
  Library(const MemoryReader& memory, Address base) : memory_(memory), base_(base) {}

  bool load() {
    const auto header = memory_.read_value<Elf64_Ehdr>(base_);
    if (!header || std::string_view(reinterpret_cast<const char*>(header->e_ident), 4) != ELFMAG ||
        header->e_ident[EI_CLASS] != ELFCLASS64)
      return false;
    std::optional<Elf64_Phdr> dynamic;
    std::optional<Address> first;
    for (std::size_t i = 0; i < std::min<std::size_t>(header->e_phnum, kProgramHeaderLimit); ++i) {
      const auto segment =
          memory_.read_value<Elf64_Phdr>(base_ + header->e_phoff + i * sizeof(Elf64_Phdr));
      if (!segment) return false;
      if (segment->p_type == PT_DYNAMIC) dynamic = segment;
      if (segment->p_type == PT_LOAD && !first) first = segment->p_vaddr / kPageBytes * kPageBytes;
    }
    if (!dynamic || !first) return false;
    bias_ = base_ - *first;
    return read_dynamic(bias_ + dynamic->p_vaddr);
  }

  /// The function's address: of the default version if there is one, else of any.
  [[nodiscard]] std::optional<Address> find(std::string_view name) const {
    const auto bucket_count = word(tables_.hash);
    const auto first_hashed = word(tables_.hash + 4);
    const auto bloom_words = word(tables_.hash + 8);
    if (bucket_count == 0) return std::nullopt;
    const Address buckets = tables_.hash + 16 + Bytes{8} * bloom_words;
    const Address chains = buckets + Bytes{4} * bucket_count;
    const std::uint32_t wanted = gnu_hash(name);
    std::uint32_t index = word(buckets + Bytes{4} * (wanted % bucket_count));
    std::optional<Address> hidden;
    for (std::size_t step = 0; index >= first_hashed && step < kChainLimit; ++step, ++index) {
      const std::uint32_t hash = word(chains + Bytes{4} * (index - first_hashed));
      if ((hash | 1) == (wanted | 1)) {
        const auto found = function_at(index, name);
        if (found && !is_hidden(index)) return found;
        if (found) hidden = found;
      }
      if ((hash & 1) != 0) break;
    }
    return hidden;
  }

 private:
  bool read_dynamic(Address table) {
    for (std::size_t i = 0; i < kDynamicLimit; ++i) {
      const auto entry = memory_.read_value<Elf64_Dyn>(table + i * sizeof(Elf64_Dyn));
      if (!entry || entry->d_tag == DT_NULL) break;
      // The loader relocates these in place, but not in a table that it keeps read-only.
      const Address value = entry->d_un.d_ptr < base_ ? entry->d_un.d_ptr + bias_ : entry->d_un.d_ptr;
      if (entry->d_tag == DT_SYMTAB) tables_.symbols = value;
      if (entry->d_tag == DT_STRTAB) tables_.strings = value;
      if (entry->d_tag == DT_GNU_HASH) tables_.hash = value;
      if (entry->d_tag == DT_VERSYM) tables_.versions = value;
    }
    return tables_.symbols != 0 && tables_.strings != 0 && tables_.hash != 0;
  }

  [[nodiscard]] std::uint32_t word(Address address) const {
    return memory_.read_value<std::uint32_t>(address).value_or(0);
  }

  [[nodiscard]] bool is_hidden(std::uint32_t index) const {
    if (tables_.versions == 0) return false;
    const auto version = memory_.read_value<std::uint16_t>(tables_.versions + Bytes{2} * index);
    return version && (*version & kHiddenVersion) != 0;
  }

  [[nodiscard]] std::optional<Address> function_at(std::uint32_t index, std::string_view name) const {
    const auto symbol = memory_.read_value<Elf64_Sym>(tables_.symbols + index * sizeof(Elf64_Sym));
    if (!symbol || symbol->st_shndx == SHN_UNDEF || ELF64_ST_TYPE(symbol->st_info) != STT_FUNC)
      return std::nullopt;
    std::string text(name.size() + 1, '?');
    const auto got =
        memory_.read(tables_.strings + symbol->st_name, std::as_writable_bytes(std::span(text)));
    if (got != text.size() || text.back() != '\0' ||
        std::string_view(text).substr(0, name.size()) != name)
      return std::nullopt;
    return bias_ + symbol->st_value;
  }

  const MemoryReader& memory_;
  Address base_;
  Address bias_ = 0;
  DynamicTables tables_;
};

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_executable(std::span<const Mapping> mappings, Address address) {
  return std::any_of(mappings.begin(), mappings.end(), [&](const Mapping& mapping) {
    return mapping.executable && mapping.range.contains(address);
  });
}

}  // namespace

Result<Address> find_exported(const MemoryReader& memory, std::span<const Mapping> mappings,
                              std::string_view path, std::string_view function) {
  const auto first = std::find_if(mappings.begin(), mappings.end(), [&](const Mapping& mapping) {
    return mapping.file_offset == 0 && mapping.path == path;
  });
  const auto where = fmt::format("{} in {}", function, path);
  if (first == mappings.end())
    return Error{ErrorCode::kUnreadable, "the library is not loaded in the target", where, ""};
  Library library(memory, first->range.begin);
  if (!library.load())
    return Error{ErrorCode::kUnreadable, "the library's tables make no sense", where, ""};
  const auto address = library.find(function);
  if (!address || !is_executable(mappings, *address))
    return Error{ErrorCode::kUnreadable, "the library exports no such function", where, ""};
  return *address;
}

std::string path_of_libc(std::span<const Mapping> mappings) {
  for (const Mapping& mapping : mappings) {
    const auto name = base_name(mapping.path);
    if (name == "libc.so.6" || (name.starts_with("libc-2.") && name.ends_with(".so")))
      return mapping.path;
  }
  return {};
}

}  // namespace offheap
