// SPDX-License-Identifier: Apache-2.0
#include "symbols/function_table.h"

#include <fmt/format.h>
#include <gelf.h>
#include <libelf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "apart/target_file.h"
#include "symbols/table_message.h"

namespace offheap {
namespace {

constexpr off_t kFileLimitBytes = off_t{4} << 30;
constexpr std::size_t kSymbolLimit = 8'000'000;
constexpr std::size_t kNameLimitBytes = 16 * 1024;

struct EndElf {
  void operator()(Elf* elf) const { elf_end(elf); }
};

std::unique_ptr<Elf, EndElf> open_elf(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > kFileLimitBytes ||
      elf_version(EV_CURRENT) == EV_NONE)
    return nullptr;
  std::unique_ptr<Elf, EndElf> elf(elf_begin(fd, ELF_C_READ, nullptr));
  if (elf && (elf_kind(elf.get()) != ELF_K_ELF || gelf_getclass(elf.get()) != ELFCLASS64))
    return nullptr;
  return elf;
}

void read_build_id(Elf_Data* notes, FunctionTable* table) {
  GElf_Nhdr note;
  std::size_t name = 0;
  std::size_t content = 0;
  std::size_t next = 0;
  for (std::size_t at = 0; (next = gelf_getnote(notes, at, &note, &name, &content)) > at; at = next) {
    const auto* bytes = static_cast<const std::uint8_t*>(notes->d_buf);
    if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 ||
        std::memcmp(bytes + name, "GNU", 4) != 0)
      continue;
    if (content + note.n_descsz > notes->d_size || note.n_descsz > 64) return;
    table->build_id.assign(bytes + content, bytes + content + note.n_descsz);
    return;
  }
}

void read_notes(Elf* elf, FunctionTable* table) {
  std::size_t count = 0;
  if (elf_getphdrnum(elf, &count) != 0) return;
  for (std::size_t i = 0; i < std::min<std::size_t>(count, 1024); ++i) {
    GElf_Phdr header;
    if (gelf_getphdr(elf, static_cast<int>(i), &header) == nullptr) return;
    // By content, since a debug file and a stripped one may lack the section.
    if (header.p_type != PT_NOTE || !table->build_id.empty() || header.p_filesz > (1u << 20)) continue;
    Elf_Data* data =
        elf_getdata_rawchunk(elf, static_cast<std::int64_t>(header.p_offset), header.p_filesz,
                             header.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
    if (data != nullptr) read_build_id(data, table);
  }
}

bool is_function(const GElf_Sym& symbol) {
  int type = GELF_ST_TYPE(symbol.st_info);
  return (type == STT_FUNC || type == STT_GNU_IFUNC) && symbol.st_shndx != SHN_UNDEF &&
         symbol.st_value != 0;
}

void read_symbols(Elf* elf, Elf_Scn* section, const GElf_Shdr& header, FunctionTable* table) {
  Elf_Data* data = elf_getdata(section, nullptr);
  if (data == nullptr || header.sh_entsize == 0) return;
  std::size_t count = std::min<std::size_t>(header.sh_size / header.sh_entsize, kSymbolLimit);
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Sym symbol;
    if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) return;
    if (!is_function(symbol)) continue;
    const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
    if (name == nullptr || *name == 0 || strnlen(name, kNameLimitBytes) == kNameLimitBytes) continue;
    table->functions.push_back({symbol.st_value, symbol.st_size, name});
  }
}

void read_debug_link(Elf_Scn* section, FunctionTable* table) {
  Elf_Data* data = elf_getdata(section, nullptr);
  if (data == nullptr || data->d_buf == nullptr) return;
  const char* text = static_cast<const char*>(data->d_buf);
  std::string name(text, strnlen(text, data->d_size));
  if (name.find('/') == std::string::npos) table->debug_link = name;
}

/// Sections of one type: .symtab first, and .dynsym only where that is missing.
void read_sections(Elf* elf, FunctionTable* table) {
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return;
  for (GElf_Word wanted : {SHT_SYMTAB, SHT_DYNSYM}) {
    for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf, section)) != nullptr;) {
      GElf_Shdr header;
      if (gelf_getshdr(section, &header) == nullptr) continue;
      const char* name = elf_strptr(elf, names, header.sh_name);
      if (wanted == SHT_SYMTAB && name != nullptr && std::strcmp(name, ".gnu_debuglink") == 0)
        read_debug_link(section, table);
      if (header.sh_type == wanted) read_symbols(elf, section, header, table);
    }
    if (wanted == SHT_SYMTAB) table->has_symtab = !table->functions.empty();
    if (table->has_symtab) return;
  }
}

/// Of several names at one address the one with a size, then the shortest, says most.
void sort_functions(std::vector<FunctionSymbol>* functions) {
  std::sort(functions->begin(), functions->end(), [](const FunctionSymbol& a, const FunctionSymbol& b) {
    if (a.begin != b.begin) return a.begin < b.begin;
    if ((a.size == 0) != (b.size == 0)) return a.size != 0;
    return a.name.size() != b.name.size() ? a.name.size() < b.name.size() : a.name < b.name;
  });
  auto same = [](const FunctionSymbol& a, const FunctionSymbol& b) { return a.begin == b.begin; };
  functions->erase(std::unique(functions->begin(), functions->end(), same), functions->end());
}

std::string folder_of(const std::string& path) {
  std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string hex(const std::vector<std::uint8_t>& bytes, std::size_t from, std::size_t to) {
  std::string text;
  for (std::size_t i = from; i < to; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

}  // namespace

std::optional<FunctionTable> read_function_table(int fd) {
  const auto elf = open_elf(fd);
  if (!elf) return std::nullopt;
  FunctionTable table;
  read_notes(elf.get(), &table);
  read_sections(elf.get(), &table);
  sort_functions(&table.functions);
  return table;
}

std::optional<FunctionTable> read_target_functions(const std::string& root, const std::string& path,
                                                   const ApartLimits& limits) {
  const Descriptor file = open_target_file(root, path);
  if (!file.valid()) return std::nullopt;
  const auto read = [](int fd) {
    const auto table = read_function_table(fd);
    return table ? encode_function_table(*table) : std::string();
  };
  const auto message = work_apart(file.get(), read, limits);
  return message ? decode_function_table(*message) : std::nullopt;
}

const FunctionSymbol* find_function(const FunctionTable& table, Address address) {
  auto after = std::upper_bound(table.functions.begin(), table.functions.end(), address,
                                [](Address a, const FunctionSymbol& f) { return a < f.begin; });
  if (after == table.functions.begin()) return nullptr;
  const FunctionSymbol& found = *(after - 1);
  return found.size == 0 || address - found.begin < found.size ? &found : nullptr;
}

std::vector<TargetPath> debug_file_candidates(const FunctionTable& table, const std::string& path,
                                              const std::string& root,
                                              const std::vector<std::string>& debug_directories) {
  std::vector<TargetPath> candidates;
  std::vector<std::string> roots = {root};
  if (!root.empty()) roots.emplace_back();
  for (const std::string& base : roots)
    for (const std::string& directory : debug_directories)
      if (table.build_id.size() > 1)
        candidates.push_back(
            {base, fmt::format("{}/.build-id/{}/{}.debug", directory, hex(table.build_id, 0, 1),
                               hex(table.build_id, 1, table.build_id.size()))});
  if (table.debug_link.empty()) return candidates;
  std::string folder = folder_of(path);
  candidates.push_back({root, fmt::format("{}/{}", folder, table.debug_link)});
  candidates.push_back({root, fmt::format("{}/.debug/{}", folder, table.debug_link)});
  for (const std::string& directory : debug_directories)
    candidates.push_back({root, fmt::format("{}{}/{}", directory, folder, table.debug_link)});
  return candidates;
}

}  // namespace offheap
