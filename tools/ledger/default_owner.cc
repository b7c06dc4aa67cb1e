// SPDX-License-Identifier: Apache-2.0
#include "ledger/default_owner.h"

#include <array>

#include "libshim/recording_layout.h"

namespace offheap {
namespace {

bool is_recording(const Mapping& mapping, const ProcessTraits& traits) {
  if (!traits.recording_path.empty() && mapping.path == traits.recording_path) return true;
  return mapping.path == std::string("/memfd:") + recording::kMemfdName;
}

bool is_kernel_path(std::string_view path) {
  for (std::string_view prefix : {"[vdso", "[vvar", "[vsyscall", "[uprobes", "anon_inode:"}) {
    if (path.starts_with(prefix)) return true;
  }
  return false;
}

/// ZGC's heap is a memfd or, on old kernels, a file with such a name.
bool is_java_heap_path(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return name.starts_with("memfd:java_heap") || name.starts_with("java_heap");
}

bool is_shared_memory_path(std::string_view path) {
  for (std::string_view prefix : {"/memfd:", "/SYSV", "/dev/shm/", "/dev/zero", "[anon_shmem:"}) {
    if (path.starts_with(prefix)) return true;
  }
  return false;
}

/// Names that glibc gives its mappings under glibc.mem.decorate_maps=1 (2.39 and later).
Owner owner_by_anonymous_name(std::string_view path) {
  if (path.starts_with("[anon: glibc: malloc arena")) return Owner::kMallocArenas;
  if (path.starts_with("[anon: glibc: malloc")) return Owner::kMallocMmapped;
  if (path.starts_with("[anon: glibc: pthread stack") || path.starts_with("[stack")) {
    return Owner::kThreadStacks;
  }
  if (path.starts_with("[anon:tcmalloc")) return Owner::kBackendRanges;
  return Owner::kUnknown;
}

Labelled anonymous_owner(const Mapping& mapping, const ProcessTraits& traits) {
  Labelled result{owner_by_anonymous_name(mapping.path), mapping.path, true};
  if (result.owner != Owner::kUnknown) return result;
  if (traits.jvm && !traits.jvm_is_read && mapping.path != "[heap]") {
    result.owner = Owner::kJava;
  } else if (!traits.foreign_allocator.empty()) {
    result.owner = Owner::kBackendRanges;
    result.label = traits.foreign_allocator + ", by its library's name only";
  }
  return result;
}

}  // namespace

Labelled default_owner(const Mapping& mapping, const ProcessTraits& traits) {
  const std::string_view path = mapping.path;
  if (path.empty() && mapping.inode == 0) return anonymous_owner(mapping, traits);
  if (is_recording(mapping, traits)) return {Owner::kRecording, "recording", false};
  if (is_kernel_path(path)) return {Owner::kKernel, mapping.path, false};
  if (is_java_heap_path(path)) return {Owner::kJavaHeap, mapping.path, false};
  if (path.ends_with(".jsa")) return {Owner::kJavaCds, mapping.path, false, true};
  if (is_shared_memory_path(path) && (mapping.shared || !path.starts_with("/dev/zero"))) {
    return {Owner::kSharedMemory, mapping.path, false};
  }
  if (path.starts_with("/dev/zero")) return anonymous_owner(mapping, traits);
  if (path.starts_with('[')) return anonymous_owner(mapping, traits);
  if (traits.elf_paths && traits.elf_paths->contains(mapping.path))
    return {Owner::kElf, mapping.path, false};
  if (mapping.shared && traits.tmpfs_devices && traits.tmpfs_devices->contains(mapping.device)) {
    return {Owner::kSharedMemory, mapping.path, false};
  }
  return {Owner::kFile, mapping.path, false, true};
}

}  // namespace offheap
