// SPDX-License-Identifier: Apache-2.0
//
// From return addresses to names. Reads the ELF files of the target's own root, debug files included,
// with elfutils. The files are hostile: sizes are capped, every answer may be "module+0xoffset", and a
// file that is not the one that was loaded gives no names at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/units.h"
#include "procfs/mapping.h"
#include "recording/snapshot.h"

namespace offheap {

/// How a module's names were found, or why not.
enum class SymbolSource {
  kNone,         ///< no file, or none that could be read
  kFile,         ///< the file's own .symtab or .dynsym
  kDebugFile,    ///< a separate debug file
  kFileChanged,  ///< the file on disk has another build id than the one that was loaded
  kKernel,       ///< vdso, vsyscall: named, without symbols
};

/// A loaded ELF file to look names up in.
struct SymbolModule {
  Range range;
  Address load_bias = 0;               ///< address - load_bias = ELF virtual address
  bool load_bias_known = false;        ///< false: derived from the file's segments and `file_offset`
  Bytes file_offset = 0;               ///< of `range.begin`, when load_bias is not known
  std::string path;                    ///< as the target sees it
  std::vector<std::uint8_t> build_id;  ///< empty = not known, no check
  bool deleted = false;                ///< the file was replaced or removed on disk
};

std::vector<SymbolModule> symbol_modules(const std::vector<RecordedModule>& modules);
/// From the executable file mappings of a process.
std::vector<SymbolModule> symbol_modules(const std::vector<Mapping>& mappings);

struct SymbolOptions {
  /// Prefix of every path, /proc/PID/root for a process in another mount namespace; "" = this one.
  std::string root;
  /// Where debug files stand, inside `root` and, as a second try, on this machine.
  std::vector<std::string> debug_directories = {"/usr/lib/debug"};
  bool lines = true;  ///< also look for file, line and inlined functions (reads DWARF, slower)
};

/// One function at an address; an address has several when functions were inlined.
struct SymbolFrame {
  std::string function;    ///< demangled, fit for a terminal; "module+0xoffset" when there is no name
  std::string module;      ///< base name; "[vdso]"; "" when no module holds the address
  std::string file;        ///< source file, "" when not known
  std::uint32_t line = 0;  ///< 0 = not known
  Bytes offset = 0;        ///< from the function's begin, or from the module's
  bool named = false;      ///< `function` is a symbol's name
  bool inlined = false;
};

class Symbolizer {
 public:
  Symbolizer(std::vector<SymbolModule> modules, SymbolOptions options);
  ~Symbolizer();
  Symbolizer(Symbolizer&&) noexcept;
  Symbolizer& operator=(Symbolizer&&) noexcept;

  /// The frames of one return address, innermost inlined function first; never empty. The lookup is of
  /// address - 1, the call itself, since a call may be a function's last instruction. Answers are kept.
  const std::vector<SymbolFrame>& resolve_return_address(Address address);

  /// The same for the address of an instruction.
  const std::vector<SymbolFrame>& resolve(Address address);

  /// How the module that holds `address` got its names; kNone when none holds it.
  SymbolSource source_of(Address address);

  /// One line for each module without names although addresses in it were asked for: "libx.so: the
  /// file has changed since it was loaded".
  std::vector<std::string> notes() const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// A demangled C++ or Rust name, or `mangled` itself.
std::string demangled(const std::string& mangled);

}  // namespace offheap
