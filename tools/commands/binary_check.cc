// SPDX-License-Identifier: Apache-2.0
#include "commands/binary_check.h"

#include <elf.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#include "apart/apart.h"
#include "apart/target_file.h"

namespace offheap {
namespace {

constexpr int kMaxScriptDepth = 4;

/// A file mapped for reading; empty when it cannot be.
class MappedFile {
 public:
  explicit MappedFile(int file) {
    struct stat status {};
    if (::fstat(file, &status) != 0) return;
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ == 0) return;
    data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
  }
  ~MappedFile() {
    if (data_ != MAP_FAILED) ::munmap(data_, size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] bool ok() const { return data_ != MAP_FAILED; }
  [[nodiscard]] std::string_view text() const {
    return {static_cast<const char*>(data_), ok() ? size_ : 0};
  }

  /// The T at `offset`, or nothing when it does not lie inside the file.
  template <typename T>
  bool get(std::uint64_t offset, T& out) const {
    if (!ok() || offset > size_ || size_ - offset < sizeof(T)) return false;
    std::memcpy(&out, static_cast<const char*>(data_) + offset, sizeof(T));
    return true;
  }

 private:
  void* data_ = MAP_FAILED;
  std::size_t size_ = 0;
};

/// What the child says of one file. A bool that it sets to anything else must not be read as one.
struct FileMessage {
  std::uint8_t mapped = 0;
  std::uint8_t elf = 0;
  std::uint8_t x86_64 = 0;
  std::uint8_t is_static = 0;
  std::uint8_t exports_malloc = 0;
  std::array<char, 4096> interpreter{};         ///< of PT_INTERP
  std::array<char, 4096> script_interpreter{};  ///< of "#!"
};

template <std::size_t kSize>
void put_text(std::string_view text, std::array<char, kSize>& out) {
  text.copy(out.data(), kSize - 1);
}

template <std::size_t kSize>
std::string text_of(const std::array<char, kSize>& text) {
  return {text.data(), ::strnlen(text.data(), kSize)};
}

std::string_view string_at(const MappedFile& file, std::uint64_t offset) {
  const std::string_view text = file.text();
  if (offset >= text.size()) return {};
  return text.substr(offset, text.substr(offset, 4096).find('\0'));
}

void read_interpreter(const MappedFile& file, const Elf64_Ehdr& header, FileMessage& facts) {
  facts.is_static = 1;
  for (std::uint16_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr phdr;
    if (!file.get(header.e_phoff + std::uint64_t{i} * sizeof phdr, phdr)) return;
    if (phdr.p_type != PT_INTERP) continue;
    facts.is_static = 0;
    put_text(string_at(file, phdr.p_offset), facts.interpreter);
  }
}

bool defines_malloc(const MappedFile& file, const Elf64_Shdr& symbols, const Elf64_Shdr& names) {
  for (std::uint64_t at = 0; at + sizeof(Elf64_Sym) <= symbols.sh_size; at += sizeof(Elf64_Sym)) {
    Elf64_Sym symbol;
    if (!file.get(symbols.sh_offset + at, symbol)) return false;
    if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_TYPE(symbol.st_info) != STT_FUNC) continue;
    if (string_at(file, names.sh_offset + symbol.st_name) == "malloc") return true;
  }
  return false;
}

void read_dynamic_symbols(const MappedFile& file, const Elf64_Ehdr& header, FileMessage& facts) {
  for (std::uint16_t i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    Elf64_Shdr names;
    if (!file.get(header.e_shoff + std::uint64_t{i} * sizeof section, section)) return;
    if (section.sh_type != SHT_DYNSYM) continue;
    if (!file.get(header.e_shoff + std::uint64_t{section.sh_link} * sizeof names, names)) return;
    facts.exports_malloc = defines_malloc(file, section, names) ? 1 : 0;
    return;
  }
}

/// execve sets AT_SECURE when it changes the caller's ids or grants capabilities.
bool gains_rights(int file) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return false;
  const bool other_user = (status.st_mode & S_ISUID) != 0 && status.st_uid != ::getuid();
  const bool other_group =
      (status.st_mode & S_ISGID) != 0 && (status.st_mode & S_IXGRP) != 0 && status.st_gid != ::getgid();
  const bool capabilities = ::getuid() != 0 && ::fgetxattr(file, "security.capability", nullptr, 0) > 0;
  return other_user || other_group || capabilities;
}

std::string_view script_interpreter(std::string_view text) {
  if (!text.starts_with("#!")) return {};
  text = text.substr(2, text.find('\n') - 2);
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_first_of(" \t", begin) - begin);
}

void read_elf(const MappedFile& file, FileMessage& facts) {
  Elf64_Ehdr header{};
  if (!file.get(0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return;
  facts.elf = 1;
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64) return;
  facts.x86_64 = 1;
  read_interpreter(file, header, facts);
  read_dynamic_symbols(file, header, facts);
}

}  // namespace

std::string binary_message(int input) {
  FileMessage message;
  const MappedFile file(input);
  message.mapped = file.ok() ? 1 : 0;
  put_text(script_interpreter(file.text()), message.script_interpreter);
  if (message.script_interpreter.front() == 0) read_elf(file, message);
  return {reinterpret_cast<const char*>(&message), sizeof message};
}

namespace {

std::optional<FileMessage> read_apart(const Descriptor& file) {
  if (!file.valid()) return std::nullopt;
  ApartLimits limits;
  limits.memory_bytes = Bytes{16} << 30;  // the file is mapped; few of its pages are read
  limits.answer_bytes = sizeof(FileMessage);
  const auto answer = work_apart(file.get(), binary_message, limits);
  FileMessage message;
  if (!answer || answer->size() != sizeof message) return std::nullopt;
  std::memcpy(&message, answer->data(), sizeof message);
  return message.mapped != 0 ? std::optional(message) : std::nullopt;
}

void take_facts(const FileMessage& message, BinaryFacts& facts) {
  facts.elf = message.elf != 0;
  facts.x86_64 = message.x86_64 != 0;
  facts.is_static = message.is_static != 0;
  facts.exports_malloc = message.exports_malloc != 0;
  facts.interpreter = text_of(message.interpreter);
  facts.musl = facts.interpreter.find("ld-musl") != std::string::npos;
}

}  // namespace

Result<BinaryFacts> inspect_binary(const std::string& path, const std::string& root) {
  BinaryFacts facts;
  facts.path = path;
  std::string current = path;
  for (int depth = 0; depth <= kMaxScriptDepth; ++depth) {
    const Descriptor file = open_target_file(root, current);
    const auto message = read_apart(file);
    if (!message) {
      return Error{ErrorCode::kUsage, "cannot read the program", current,
                   "it must be a regular file that you may read"};
    }
    facts.gains_rights = gains_rights(file.get());
    const std::string interpreter = text_of(message->script_interpreter);
    if (interpreter.empty()) {
      take_facts(*message, facts);
      break;
    }
    facts.script_interpreter = current = interpreter;
  }
  if (!facts.elf) return Error{ErrorCode::kUsage, "neither a program nor a script", current, ""};
  return facts;
}

Result<std::string> find_in_path(const std::string& command) {
  if (command.find('/') != std::string::npos) return command;
  const char* path = std::getenv("PATH");
  std::string_view rest = path ? path : "/usr/local/bin:/usr/bin:/bin";
  const std::string searched(rest);
  while (true) {
    const auto colon = rest.find(':');
    const std::string_view folder = rest.substr(0, colon);
    const std::string candidate = fmt::format("{}/{}", folder.empty() ? "." : folder, command);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  return Error{ErrorCode::kUsage, "no such program", command, "searched PATH=" + searched};
}

Result<bool> preload_works(const BinaryFacts& facts) {
  const std::string& where = facts.script_interpreter.empty() ? facts.path : facts.script_interpreter;
  if (!facts.x86_64) {
    return Error{ErrorCode::kUsage, "the program is not for x86-64, libshim.so is", where,
                 "a preload of another architecture is ignored by ld.so with a warning only"};
  }
  if (facts.is_static) {
    return Error{ErrorCode::kUsage, "the program is linked statically: LD_PRELOAD has no effect", where,
                 "link it dynamically, or use `offheap explain PID` without a recording"};
  }
  if (facts.musl) {
    return Error{ErrorCode::kUsage, "the program runs on musl, libshim.so needs glibc", where,
                 "use an image with glibc, or `offheap explain PID` without a recording"};
  }
  if (facts.gains_rights) {
    return Error{ErrorCode::kUsage,
                 "the program is setuid, setgid or has capabilities: ld.so ignores LD_PRELOAD", where,
                 "run a copy without these rights, or start it as the user that it becomes"};
  }
  return true;
}

}  // namespace offheap
