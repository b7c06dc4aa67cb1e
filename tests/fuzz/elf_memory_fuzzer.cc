// SPDX-License-Identifier: Apache-2.0
//
// A real library as it stands in a target's memory, with patches and a cut: its segments, its exported
// functions and the class that a table of functions names are read from there, never from the file.
#include <elf.h>

#include <array>
#include <fstream>
#include <iterator>
#include <string>

#include "fuzz.h"
#include "ledger/elf_spans.h"
#include "peek/vtables.h"
#include "procfs/exported_symbols.h"

namespace {

using offheap::Address;
using offheap::Bytes;

constexpr Address kBase = 0x7f0000000000;
constexpr const char* kPath = "/usr/lib/library.so";

std::vector<char> read_library() {
  std::ifstream file(FUZZ_LIBRARY, std::ios::binary);
  std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  fuzz::require(bytes.size() > sizeof(Elf64_Ehdr), "the library is there");
  return bytes;
}

template <typename T>
T get(const std::vector<char>& bytes, std::size_t at) {
  T value;
  fuzz::require(at + sizeof value <= bytes.size(), "the library is whole");
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

/// The file as the loader would lay it out.
std::vector<char> loaded(const std::vector<char>& file) {
  const auto header = get<Elf64_Ehdr>(file, 0);
  std::vector<char> image;
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    const auto segment = get<Elf64_Phdr>(file, header.e_phoff + i * sizeof(Elf64_Phdr));
    if (segment.p_type != PT_LOAD) continue;
    image.resize(std::max<std::size_t>(image.size(), segment.p_vaddr + segment.p_memsz));
    std::memcpy(image.data() + segment.p_vaddr, file.data() + segment.p_offset, segment.p_filesz);
  }
  return image;
}

std::vector<fuzz::Section> sections_of(const std::vector<char>& image) {
  const auto header = get<Elf64_Ehdr>(image, 0);
  std::vector<fuzz::Section> sections = {{0, image.size(), 1},
                                         {0, sizeof header, 1},
                                         {header.e_phoff, sizeof(Elf64_Phdr), header.e_phnum}};
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    const auto segment = get<Elf64_Phdr>(image, header.e_phoff + i * sizeof(Elf64_Phdr));
    if (segment.p_type != PT_DYNAMIC) continue;
    sections.push_back({segment.p_vaddr, sizeof(Elf64_Dyn), segment.p_memsz / sizeof(Elf64_Dyn)});
    for (std::size_t at = 0; at < segment.p_memsz; at += sizeof(Elf64_Dyn)) {
      const auto entry = get<Elf64_Dyn>(image, segment.p_vaddr + at);
      if (entry.d_tag == DT_SYMTAB) sections.push_back({entry.d_un.d_ptr, sizeof(Elf64_Sym), 16});
      if (entry.d_tag == DT_GNU_HASH) sections.push_back({entry.d_un.d_ptr, 4, 24});
      if (entry.d_tag == DT_STRTAB) sections.push_back({entry.d_un.d_ptr, 1, 64});
    }
  }
  return sections;
}

class Memory : public offheap::MemoryReader {
 public:
  explicit Memory(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::size_t read(Address address, std::span<std::byte> out) const override {
    if (address < kBase || address - kBase >= bytes_.size()) return 0;
    const auto count = std::min<std::size_t>(out.size(), bytes_.size() - (address - kBase));
    std::memcpy(out.data(), bytes_.data() + (address - kBase), count);
    return count;
  }
  std::vector<bool> resident_pages(offheap::Range range) const override {
    return std::vector<bool>(range.size() / offheap::kPageBytes + 1, true);
  }

 private:
  std::span<const std::byte> bytes_;
};

void check_spans(const offheap::ElfFiles& files) {
  for (const offheap::ElfSpan& span : files.spans)
    fuzz::require(span.range.begin < span.range.end && span.range.begin % offheap::kPageBytes == 0 &&
                      span.range.end % offheap::kPageBytes == 0 && span.path == kPath,
                  "a span is whole pages of its file");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<char> image = loaded(read_library());
  static fuzz::PatchedImage patched(std::as_bytes(std::span(image)), sections_of(image));
  const Memory memory(patched.apply({data, size}));
  offheap::Mapping mapping;
  mapping.range = {kBase, kBase + (image.size() / offheap::kPageBytes + 1) * offheap::kPageBytes};
  mapping.readable = mapping.executable = true;
  mapping.inode = 1;
  mapping.path = kPath;
  check_spans(offheap::find_elf_files({mapping}, memory));
  if (const auto symbols = offheap::ExportedSymbols::load(memory, kBase)) {
    const auto found = symbols->find("exported_function", offheap::ExportKind::kFunction);
    fuzz::require(size != 0 || found.has_value(), "an exported function is found");
    (void)symbols->find("missing", offheap::ExportKind::kObject);
  }
  for (Address at = kBase; at < kBase + image.size(); at += 512)
    if (const auto name = offheap::class_of_vtable(memory, std::span(&mapping, 1), at))
      fuzz::require(!name->empty() && name->size() <= 1024, "a class has a name, and a short one");
  return 0;
}
