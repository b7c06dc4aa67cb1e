// SPDX-License-Identifier: Apache-2.0
#include "hotspot/hotspot.h"

#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "apart/target_file.h"
#include "hotspot/gc_structures.h"
#include "hotspot/java_objects.h"
#include "hotspot/java_threads.h"
#include "hotspot/vm_flags.h"
#include "hotspot/vm_regions.h"

namespace offheap {
namespace {

constexpr Bytes kMostLibraryBytes = Bytes{1} << 30;

const Mapping* first_of(std::span<const Mapping> mappings, std::string_view path) {
  const auto first = std::find_if(mappings.begin(), mappings.end(), [&](const Mapping& mapping) {
    return mapping.path == path && mapping.file_offset == 0;
  });
  return first == mappings.end() ? nullptr : &*first;
}

/// From the library's first page to the end of its last segment, bss included.
Range extent_of(const MemoryReader& memory, const Mapping& first) {
  constexpr std::size_t kMostSegments = 64;
  const Address base = first.range.begin;
  Range extent = first.range;
  const auto header = memory.read_value<Elf64_Ehdr>(base);
  for (std::size_t i = 0; header && i < std::min<std::size_t>(header->e_phnum, kMostSegments); ++i) {
    const auto segment = memory.read_value<Elf64_Phdr>(base + header->e_phoff + i * sizeof(Elf64_Phdr));
    if (!segment || segment->p_type != PT_LOAD) continue;
    if (segment->p_vaddr > kMostLibraryBytes || segment->p_memsz > kMostLibraryBytes) continue;
    extent.end = std::max(extent.end, base + segment->p_vaddr + segment->p_memsz);
  }
  return extent;
}

/// Whether the file's first page is what is mapped at `base`: ELF header, segments, build id.
bool begins_as(const MemoryReader& memory, Address base, const Descriptor& file) {
  std::array<std::byte, kPageBytes> mapped;
  std::array<std::byte, kPageBytes> stored;
  return file.valid() && memory.read(base, mapped) == kPageBytes &&
         ::pread(file.get(), stored.data(), kPageBytes, 0) == static_cast<ssize_t>(kPageBytes) &&
         mapped == stored;
}

/// "17.0.15" of "17.0.15+6-Debian-1"
std::string version_of(const std::string& release) { return release.substr(0, release.find('+')); }

}  // namespace

std::string libjvm_path(std::span<const Mapping> mappings) {
  for (const Mapping& mapping : mappings)
    if (mapping.path.ends_with("/libjvm.so")) return mapping.path;
  return {};
}

Hotspot::Hotspot(const MemoryReader& memory, std::span<const Mapping> mappings, std::string library,
                 FileReader file)
    : library_(std::move(library)),
      mappings_(mappings),
      memory_(memory, mappings, library_, std::move(file)) {}

Hotspot::~Hotspot() = default;

std::unique_ptr<Hotspot> Hotspot::find(const MemoryReader& memory, std::span<const Mapping> mappings,
                                       FileReader file) {
  const std::string path = libjvm_path(mappings);
  const Mapping* first = path.empty() ? nullptr : first_of(mappings, path);
  if (first == nullptr) return nullptr;
  std::unique_ptr<Hotspot> hotspot(new Hotspot(memory, mappings, path, std::move(file)));
  const auto symbols = ExportedSymbols::load(hotspot->memory_, first->range.begin);
  if (!symbols) return nullptr;
  hotspot->tables_ = VmTables::load(hotspot->memory_, *symbols);
  if (!hotspot->tables_) return nullptr;
  hotspot->vm_.emplace(hotspot->memory_, *hotspot->tables_, extent_of(hotspot->memory_, *first));
  return hotspot;
}

HotspotReport Hotspot::read() const {
  HotspotReport report;
  const auto release = vm_->static_value("Abstract_VM_Version", "_s_vm_release").value_or(0);
  report.release = read_vm_text(memory_, release).value_or("");
  report.version = version_of(report.release);
  report.flags = read_vm_flags(*vm_);
  report.gc = collector_name(report.flags);
  read_regions(*vm_, mappings_, report);
  const JavaObjects objects(*vm_, report);
  report.threads = list_java_threads(*vm_, objects);
  report.direct = read_direct_memory(*vm_, objects, report);
  report.classes = objects.count_classes();
  return report;
}

std::vector<JavaRange> Hotspot::infer(std::span<const Range> unowned) const {
  return infer_gc_structures(*vm_, unowned);
}

FileReader open_libjvm(const Process& process, const MemoryReader& memory,
                       std::span<const Mapping> mappings) {
  const Mapping* first = first_of(mappings, libjvm_path(mappings));
  if (first == nullptr) return {};
  // By the mapping: it is the file that was loaded, whatever has become of its name.
  auto file = std::make_shared<Descriptor>(open_mapped_file(process, first->range));
  // Without the right to that, by the name, if it is the same file still.
  if (!file->valid()) *file = open_target_file(process, first->path);
  if (!begins_as(memory, first->range.begin, *file)) return {};
  return [file](Bytes offset, std::span<std::byte> out) -> std::size_t {
    const ssize_t got = ::pread(file->get(), out.data(), out.size(), static_cast<off_t>(offset));
    return got < 0 ? 0 : static_cast<std::size_t>(got);
  };
}

}  // namespace offheap
