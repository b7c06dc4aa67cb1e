// SPDX-License-Identifier: Apache-2.0
#include "ledger/elf_spans.h"

#include <elf.h>

#include <cstring>
#include <optional>

namespace offheap {
namespace {

constexpr std::uint16_t kMaxProgramHeaders = 128;
/// A span farther than this from the file's first mapping is a damaged header, not a segment.
constexpr Bytes kMaxImageBytes = Bytes{4} << 30;

Address page_floor(Address a) { return a & ~(kPageBytes - 1); }
Address page_ceil(Address a) { return page_floor(a + kPageBytes - 1); }

std::optional<Elf64_Ehdr> read_header(const Mapping& mapping, const MemoryReader& memory) {
  auto header = memory.read_value<Elf64_Ehdr>(mapping.range.begin);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return std::nullopt;
  return header;
}

std::vector<Elf64_Phdr> read_loads(const Mapping& mapping, const Elf64_Ehdr& header,
                                   const MemoryReader& memory) {
  std::vector<Elf64_Phdr> loads;
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr) ||
      header.e_phnum > kMaxProgramHeaders || header.e_phoff > kMaxImageBytes) {
    return loads;
  }
  for (std::uint16_t i = 0; i < header.e_phnum; ++i) {
    auto phdr =
        memory.read_value<Elf64_Phdr>(mapping.range.begin + header.e_phoff + i * sizeof(Elf64_Phdr));
    if (phdr && phdr->p_type == PT_LOAD) loads.push_back(*phdr);
  }
  return loads;
}

void add_spans(const Mapping& first, const std::vector<Elf64_Phdr>& loads, std::vector<ElfSpan>& out) {
  if (loads.empty()) return;
  Address lowest = loads.front().p_vaddr;
  for (const auto& load : loads) lowest = std::min(lowest, load.p_vaddr);
  for (const auto& load : loads) {
    const Bytes offset = page_floor(load.p_vaddr) - page_floor(lowest);
    if (offset > kMaxImageBytes || load.p_memsz > kMaxImageBytes) continue;
    const Address begin = first.range.begin + offset;
    const Address end = page_ceil(begin + (load.p_vaddr & (kPageBytes - 1)) + load.p_memsz);
    if (end > begin) out.push_back({{begin, end}, first.path});
  }
}

}  // namespace

ElfFiles find_elf_files(const std::vector<Mapping>& mappings, const MemoryReader& memory) {
  ElfFiles files;
  for (const Mapping& mapping : mappings) {
    if (mapping.path.empty() || mapping.path.front() != '/') continue;
    if (mapping.executable) files.paths.insert(mapping.path);
    if (mapping.file_offset != 0 || !mapping.readable || mapping.shared) continue;
    const auto header = read_header(mapping, memory);
    if (!header) continue;
    files.paths.insert(mapping.path);
    add_spans(mapping, read_loads(mapping, *header, memory), files.spans);
  }
  return files;
}

}  // namespace offheap
