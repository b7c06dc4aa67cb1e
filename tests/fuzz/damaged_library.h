// SPDX-License-Identifier: Apache-2.0
//
// A real library with damage; fuzz.h says how an input describes it. Its tables are found once in the
// undamaged file, so that patches hit headers, symbols, strings and notes.
#pragma once

#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "fuzz.h"

namespace fuzz {

inline std::vector<char> read_library() {
  std::ifstream file(FUZZ_LIBRARY, std::ios::binary);
  std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  require(bytes.size() > sizeof(Elf64_Ehdr), "the library is there");
  return bytes;
}

inline std::vector<Section> sections_of(const std::vector<char>& bytes) {
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  std::vector<Section> sections = {{0, bytes.size(), 1},  // anywhere
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

/// A memfd that holds it; the same one at each call.
inline int damaged_library(std::span<const std::uint8_t> input) {
  static const std::vector<char> library = read_library();
  static PatchedImage image(std::as_bytes(std::span(library)), sections_of(library));
  static const int fd = memfd_create("library", MFD_CLOEXEC);
  const std::span<const std::byte> bytes = image.apply(input);
  require(ftruncate(fd, 0) == 0 &&
              pwrite(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
          "the memfd takes the image");
  return fd;
}

}  // namespace fuzz
