// SPDX-License-Identifier: Apache-2.0
//
// A small image of a JVM, whole: libjvm.so with the tables that describe its structures, and a Java
// heap. Tests and a fuzzer damage it.
#pragma once

#include <elf.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "procfs/mapping.h"
#include "procfs/memory_reader.h"

namespace offheap {

inline constexpr Address kImageBase = 0x7f0000000000;
inline constexpr Bytes kImageBytes = 64 << 10;
inline constexpr Address kHeapBase = 0xf0000000;

/// libjvm.so as one mapping: ELF header, dynamic tables, vmStructs, statics.
class JvmImage : public MemoryReader {
 public:
  JvmImage() : bytes_(kImageBytes) {
    put_tables();
    put_elf();
  }
  explicit JvmImage(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}

  std::size_t read(Address address, std::span<std::byte> out) const override {
    if (address < kImageBase || address >= kImageBase + bytes_.size()) return 0;
    const auto count = std::min<std::size_t>(out.size(), kImageBase + bytes_.size() - address);
    std::memcpy(out.data(), bytes_.data() + (address - kImageBase), count);
    return count;
  }
  std::vector<bool> resident_pages(Range range) const override {
    return std::vector<bool>((range.size() + kPageBytes - 1) / kPageBytes, true);
  }

  std::vector<std::byte>& bytes() { return bytes_; }
  static std::vector<Mapping> mappings() {
    Mapping library;
    library.range = {kImageBase, kImageBase + kImageBytes};
    library.readable = library.writable = true;
    library.path = "/jdk/lib/server/libjvm.so";
    Mapping heap;
    heap.range = {kHeapBase, kHeapBase + (16 << 20)};
    heap.readable = heap.writable = true;
    return {heap, library};
  }

 private:
  template <typename T>
  Address put(const T& value) {
    at_ = (at_ + 15) & ~std::size_t{15};
    std::memcpy(bytes_.data() + at_, &value, sizeof value);
    at_ += sizeof value;
    return kImageBase + at_ - sizeof value;
  }
  Address put_text(const std::string& text) {
    at_ = (at_ + 15) & ~std::size_t{15};
    std::memcpy(bytes_.data() + at_, text.c_str(), text.size() + 1);
    at_ += text.size() + 1;
    return kImageBase + at_ - text.size() - 1;
  }
  void export_word(const std::string& name, std::uint64_t value) {
    exports_.push_back({name, put(value)});
  }

  struct Field {
    const char* type;
    const char* name;
    std::uint64_t is_static, offset, address;
  };

  void put_tables() {
    at_ = 16 << 10;
    const Address heap = put(std::array<std::uint64_t, 8>{0, 0, kHeapBase, (16 << 20) / 8, 0, 0, 0, 0});
    const Address heap_static = put(heap);
    const Address release = put(put_text("21.0.2+13-LTS"));
    std::vector<std::array<std::uint64_t, 6>> entries;
    for (const Field& field :
         {Field{"Universe", "_collectedHeap", 1, 0, heap_static},
          Field{"Abstract_VM_Version", "_s_vm_release", 1, 0, release},
          Field{"CollectedHeap", "_reserved", 0, 16, 0}, Field{"MemRegion", "_start", 0, 0, 0},
          Field{"MemRegion", "_word_size", 0, 8, 0}}) {
      entries.push_back({put_text(field.type), put_text(field.name), put_text("void*"), field.is_static,
                         field.offset, field.address});
    }
    entries.push_back({});
    export_word("gHotSpotVMStructs", put_entries(entries));
    const char* parts[] = {"TypeName", "FieldName", "TypeString", "IsStatic", "Offset", "Address"};
    for (std::size_t i = 0; i < 6; ++i)
      export_word(std::string("gHotSpotVMStructEntry") + parts[i] + "Offset", i * 8);
    export_word("gHotSpotVMStructEntryArrayStride", 48);
    export_word("gHotSpotVMTypes", put_entries({{put_text("MemRegion"), 16}, {}}));
    export_word("gHotSpotVMTypeEntryTypeNameOffset", 0);
    export_word("gHotSpotVMTypeEntrySizeOffset", 8);
    export_word("gHotSpotVMTypeEntryArrayStride", 48);
  }

  Address put_entries(const std::vector<std::array<std::uint64_t, 6>>& entries) {
    Address first = 0;
    for (const auto& entry : entries) {
      const Address at = put(entry);
      if (first == 0) first = at;
    }
    return first;
  }

  static std::uint32_t hash_of(const std::string& name) {
    std::uint32_t hash = 5381;
    for (const char c : name) hash = hash * 33 + static_cast<unsigned char>(c);
    return hash;
  }

  /// One bucket holds all symbols, in order.
  void put_elf() {
    const Address strings = put_text("");
    std::vector<Elf64_Sym> symbols(1);
    for (const auto& [name, address] : exports_) {
      Elf64_Sym symbol{};
      symbol.st_name = static_cast<Elf64_Word>(put_text(name) - strings);
      symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT);
      symbol.st_shndx = 1;
      symbol.st_value = address - kImageBase;
      symbols.push_back(symbol);
    }
    at_ = (at_ + 15) & ~std::size_t{15};
    const Address table = kImageBase + at_;
    std::memcpy(bytes_.data() + at_, symbols.data(), symbols.size() * sizeof(Elf64_Sym));
    at_ += symbols.size() * sizeof(Elf64_Sym);
    std::vector<std::uint32_t> hash = {1, 1, 1, 0, 0, 0, 1};
    for (const auto& [name, address] : exports_) hash.push_back(hash_of(name) & ~1U);
    hash.back() |= 1;
    at_ = (at_ + 15) & ~std::size_t{15};
    const Address hashes = kImageBase + at_;
    std::memcpy(bytes_.data() + at_, hash.data(), hash.size() * 4);
    at_ += hash.size() * 4;
    const Address dynamic =
        put(std::array<std::uint64_t, 8>{DT_SYMTAB, table - kImageBase, DT_STRTAB, strings - kImageBase,
                                         DT_GNU_HASH, hashes - kImageBase, DT_NULL, 0});
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_phoff = sizeof header;
    header.e_phnum = 2;
    Elf64_Phdr segments[2] = {};
    segments[0].p_type = PT_LOAD;
    segments[0].p_memsz = kImageBytes;
    segments[1].p_type = PT_DYNAMIC;
    segments[1].p_vaddr = dynamic - kImageBase;
    std::memcpy(bytes_.data(), &header, sizeof header);
    std::memcpy(bytes_.data() + sizeof header, segments, sizeof segments);
  }

  std::vector<std::byte> bytes_;
  std::size_t at_ = 0;
  std::vector<std::pair<std::string, Address>> exports_;
};

}  // namespace offheap
