// SPDX-License-Identifier: Apache-2.0
//
// Source: dlopen(3); before glibc 2.34 dlopen is in libdl.so.2, and libc has only a private one.
#include "attach/inject.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "procfs/process_memory.h"

namespace offheap {
namespace {

constexpr std::size_t kTextLimitBytes = 3000;
constexpr std::uint64_t kPrivateDlopen = 0x80000000;  // __RTLD_DLOPEN, which dlopen itself adds

struct Loader {
  Address open = 0;
  std::uint64_t flags = RTLD_NOW;
  Address error = 0;  ///< dlerror; 0 = there is none
};

std::string path_of_libdl(std::span<const Mapping> mappings) {
  const auto found = std::find_if(mappings.begin(), mappings.end(), [](const Mapping& mapping) {
    return std::string_view(mapping.path).substr(mapping.path.rfind('/') + 1).starts_with("libdl");
  });
  return found == mappings.end() ? std::string() : found->path;
}

Result<Loader> find_loader(const MemoryReader& memory, std::span<const Mapping> mappings) {
  const auto libc = path_of_libc(mappings);
  for (const auto& path : {libc, path_of_libdl(mappings)}) {
    const auto open = find_exported(memory, mappings, path, "dlopen");
    const auto error = find_exported(memory, mappings, path, "dlerror");
    if (open) return Loader{*open, RTLD_NOW, error ? *error : 0};
  }
  const auto hidden = find_exported(memory, mappings, libc, "__libc_dlopen_mode");
  if (!hidden) return hidden.error();
  return Loader{*hidden, RTLD_NOW | kPrivateDlopen, 0};
}

std::string read_target_text(const MemoryReader& memory, Address address) {
  std::string text(512, '\0');
  const auto got = memory.read(address, std::as_writable_bytes(std::span(text)));
  text.resize(std::min(got, text.find('\0')));
  return text;
}

Error refused_by_loader(const MemoryReader& memory, const Loader& loader, RemoteCaller& caller,
                        const std::string& path) {
  std::string reason = "the loader does not say why";
  if (loader.error != 0) {
    const auto text = caller.call(loader.error, {});
    if (text && *text != 0) reason = read_target_text(memory, *text);
  }
  return Error{ErrorCode::kUnreadable, "the target could not load the library: " + reason, path,
               "the path must exist, be readable and executable in the target's own mount namespace, "
               "and be built for its libc"};
}

/// Where the library's entry is, now that it is loaded. The mapping may carry another path than the
/// one asked for (a symbolic link), so the file's name decides.
Result<Address> find_entry(const Process& process, const MemoryReader& memory, const std::string& path,
                           const std::string& entry) {
  const auto mappings = process.read_smaps();
  if (!mappings) return mappings.error();
  const auto name = path.substr(path.rfind('/') + 1);
  std::string mapped = path;
  for (const Mapping& mapping : *mappings) {
    if (mapping.path == path) return find_exported(memory, *mappings, path, entry);
    if (mapping.path.substr(mapping.path.rfind('/') + 1) == name) mapped = mapping.path;
  }
  return find_exported(memory, *mappings, mapped, entry);
}

}  // namespace

Result<InjectedLibrary> inject_library(const Process& process, const std::string& path,
                                       const std::string& entry, const std::string& argument,
                                       const RemoteCallOptions& options) {
  if (path.size() + argument.size() > kTextLimitBytes || !path.starts_with('/'))
    return Error{ErrorCode::kUsage, "the path must be absolute, and with its argument below 3000 bytes",
                 path, ""};
  const auto memory = ProcessMemory::open(process);
  if (!memory) return memory.error();
  const auto mappings = process.read_smaps();
  if (!mappings) return mappings.error();
  auto loading = options;
  loading.loads_libraries = true;
  auto caller = RemoteCaller::open(process, loading);
  if (!caller) return caller.error();
  const auto loader = find_loader(*memory, *mappings);
  if (!loader) return loader.error();
  const auto path_text = caller->put_text(path);
  if (!path_text) return path_text.error();
  const auto argument_text = caller->put_text(argument);
  if (!argument_text) return argument_text.error();
  const auto handle = caller->call(loader->open, std::array{*path_text, loader->flags});
  if (!handle) return handle.error();
  if (*handle == 0) return refused_by_loader(*memory, *loader, *caller, path);
  const auto function = find_entry(process, *memory, path, entry);
  if (!function) return function.error();
  const auto returned = caller->call(*function, std::array{*argument_text});
  if (!returned) return returned.error();
  const auto value = static_cast<std::int64_t>(static_cast<std::int32_t>(*returned));
  return InjectedLibrary{value, caller->tid(), caller->release()};
}

}  // namespace offheap
