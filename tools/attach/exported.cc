// SPDX-License-Identifier: Apache-2.0
//
// A function of a mapped library by its name, checked to lie in executable memory.
#include <fmt/format.h>

#include <algorithm>

#include "attach/remote_call.h"
#include "base/path.h"
#include "procfs/exported_symbols.h"

namespace offheap {
namespace {

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
  const auto library = ExportedSymbols::load(memory, first->range.begin);
  if (!library) return Error{ErrorCode::kUnreadable, "the library's tables make no sense", where, ""};
  const auto address = library->find(function, ExportKind::kFunction);
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
