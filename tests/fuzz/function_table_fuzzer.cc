// SPDX-License-Identifier: Apache-2.0
//
// A real library with damage (fuzz.h says how an input describes it), read for its functions. Its
// tables are found once in the undamaged file, so that patches hit headers, symbols, strings and notes.
#include "symbols/function_table.h"

#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "fuzz.h"
#include "symbols/symbolizer.h"

namespace {

constexpr offheap::Address kLoadBias = 0x7f0000000000;

std::vector<char> read_library() {
  std::ifstream file(FUZZ_LIBRARY, std::ios::binary);
  std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  fuzz::require(bytes.size() > sizeof(Elf64_Ehdr), "the library is there");
  return bytes;
}

std::vector<fuzz::Section> sections_of(const std::vector<char>& bytes) {
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  std::vector<fuzz::Section> sections = {{0, bytes.size(), 1},  // anywhere
                                         {0, sizeof header, 1},
                                         {header.e_phoff, sizeof(Elf64_Phdr), header.e_phnum},
                                         {header.e_shoff, sizeof(Elf64_Shdr), header.e_shnum}};
  for (std::size_t i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    std::memcpy(&section, bytes.data() + header.e_shoff + i * sizeof section, sizeof section);
    if (section.sh_type == SHT_SYMTAB || section.sh_type == SHT_DYNSYM)
      sections.push_back({section.sh_offset, sizeof(Elf64_Sym), section.sh_size / sizeof(Elf64_Sym)});
    if (section.sh_type == SHT_STRTAB || section.sh_type == SHT_NOTE)
      sections.push_back({section.sh_offset, section.sh_size, 1});
  }
  return sections;
}

void check_table(const offheap::FunctionTable& table) {
  fuzz::require(table.build_id.size() <= 64, "a build id is short");
  fuzz::require(table.debug_link.find('/') == std::string::npos, "a debug link is a file's name");
  (void)offheap::debug_file_candidates(table, "/usr/lib/library.so", "/root", {"/usr/lib/debug"});
  const offheap::FunctionSymbol* previous = nullptr;
  for (const offheap::FunctionSymbol& function : table.functions) {
    fuzz::require(previous == nullptr || previous->begin < function.begin, "functions ascend");
    fuzz::require(!function.name.empty(), "a function has a name");
    fuzz::require(offheap::find_function(table, function.begin) == &function,
                  "a function is found by its begin");
    (void)offheap::demangled(function.name);
    previous = &function;
  }
}

void check_frames(const std::string& path, const offheap::FunctionTable* table) {
  offheap::RecordedModule module;
  module.range = {kLoadBias, kLoadBias + 0x10000};
  module.load_bias = kLoadBias;
  module.path = path;
  offheap::Symbolizer symbolizer({module}, {});
  for (offheap::Address at = kLoadBias; at <= module.range.end; at += 0x400)
    fuzz::require(!symbolizer.resolve_return_address(at).function.empty(), "a frame has a text");
  if (table == nullptr)
    fuzz::require(symbolizer.source_of(kLoadBias) == offheap::SymbolSource::kNone, "no file, no names");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<char> library = read_library();
  static fuzz::PatchedImage image(std::as_bytes(std::span(library)), sections_of(library));
  static const int fd = memfd_create("library", MFD_CLOEXEC);
  static const std::string path = "/proc/self/fd/" + std::to_string(fd);

  const std::span<const std::byte> bytes = image.apply({data, size});
  fuzz::require(ftruncate(fd, 0) == 0 &&
                    pwrite(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
                "the memfd takes the image");
  const auto table = offheap::read_function_table(path);
  if (table) check_table(*table);
  check_frames(path, table ? &*table : nullptr);
  return 0;
}
