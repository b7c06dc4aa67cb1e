// SPDX-License-Identifier: Apache-2.0
//
// From return addresses to names. Reads the ELF files of the target's own root, debug files included,
// with elfutils, in children. The files are hostile: sizes and time are capped, every answer may be
// "module+0xoffset", and a file that is not the one that was loaded gives no names at all.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/units.h"
#include "recording/snapshot.h"

namespace offheap {

/// How a module's names were found, or why not.
enum class SymbolSource {
  kNone,         ///< no file, or none that could be read
  kFile,         ///< the file's own .symtab or .dynsym
  kDebugFile,    ///< a separate debug file
  kFileChanged,  ///< the file on disk has another build id than the one that was loaded
  kTooMuch,      ///< not tried: the files before it took all the time or memory there is
  kKernel,       ///< vdso: named, without symbols
};

struct SymbolOptions {
  /// Prefix of every path, /proc/PID/root for a process in another mount namespace; "" = this one.
  std::string root;
  /// Where debug files stand, inside `root` and, as a second try, on this machine.
  std::vector<std::string> debug_directories = {"/usr/lib/debug"};
  /// For reading all files together. A single one has what is left, and ApartLimits at most.
  std::chrono::milliseconds most_time{20'000};
  Bytes most_bytes = Bytes{512} << 20;
};

struct SymbolFrame {
  std::string
      function;  ///< demangled; "module+0xoffset" when there is no name; not yet fit for a terminal
  std::string module;  ///< base name; "[vdso]"; "" when no module holds the address
  Bytes offset = 0;    ///< from the function's begin, or from the module's
  bool named = false;  ///< `function` is a symbol's name
};

class Symbolizer {
 public:
  Symbolizer(std::vector<RecordedModule> modules, SymbolOptions options);
  ~Symbolizer();
  Symbolizer(Symbolizer&&) noexcept;
  Symbolizer& operator=(Symbolizer&&) noexcept;

  /// The frame of one return address. The lookup is of address - 1, the call itself, since a call may
  /// be a function's last instruction.
  ///
  /// Errors: never fails; see SymbolFrame. An address in no module is its hexadecimal self.
  SymbolFrame resolve_return_address(Address address);

  /// How the module that holds `address` got its names; kNone when none holds it.
  SymbolSource source_of(Address address);

  /// One line for each module without names although addresses in it were asked for: "libx.so: the
  /// file has changed since it was loaded".
  [[nodiscard]] std::vector<std::string> notes() const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// A demangled C++ or Rust name, or `mangled` itself, which includes names made to grow without bounds.
std::string demangled(const std::string& mangled);

}  // namespace offheap
