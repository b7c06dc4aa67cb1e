// SPDX-License-Identifier: Apache-2.0
//
// An entry is claimed by storing its `end` (compare-and-swap from 0), which names the module at once to
// other threads that want to enter it, and published by storing `begin` last.
#include "libshim/unwind/modules.h"

#include <elf.h>
#include <sys/syscall.h>
#include <time.h>

#include "libshim/sampling/atomics.h"
#include "libshim/unwind/find_object.h"

namespace shim {
namespace {

using recording::Module;
using recording::Recording;

struct Name {
  const char* text;
  uint32_t length;
};

uint32_t length_of(const char* text) {
  uint32_t length = 0;
  while (text[length] != '\0') length++;
  return length;
}

// The C library's readlink would set errno.
int64_t read_link(const char* path, char* out, uint64_t capacity) {
  int64_t result = SYS_readlink;
  __asm__ volatile("syscall"
                   : "+a"(result)
                   : "D"(path), "S"(out), "d"(capacity)
                   : "rcx", "r11", "memory");
  return result;
}

char program_path[1024];
int64_t program_path_length = -1;  // not asked yet

// The loader has no name for the main executable.
Name name_of(const link_map* map) {
  if (map->l_name != nullptr && map->l_name[0] != '\0') return {map->l_name, length_of(map->l_name)};
  if (program_path_length < 0) note_program_path();
  return {program_path, static_cast<uint32_t>(program_path_length)};
}

void set_path(Module* module, Name name) {
  const uint32_t capacity = sizeof(module->path);
  const uint32_t cut = name.length > capacity ? name.length - capacity : 0;
  module->path_length = name.length - cut;
  __builtin_memcpy(module->path, name.text + cut, module->path_length);
}

bool is_in(const FoundObject& object, uint64_t begin, uint64_t bytes) {
  const uint64_t low = reinterpret_cast<uint64_t>(object.map_begin);
  const uint64_t high = reinterpret_cast<uint64_t>(object.map_end);
  return begin >= low && begin <= high && bytes <= high - begin;
}

void set_build_id_from_notes(Module* module, uint64_t at, uint64_t end) {
  while (at + sizeof(Elf64_Nhdr) <= end) {
    Elf64_Nhdr note;
    __builtin_memcpy(&note, reinterpret_cast<const void*>(at), sizeof(note));
    const uint64_t name = at + sizeof(note);
    const uint64_t description = name + ((note.n_namesz + 3ull) & ~3ull);
    const uint64_t next = description + ((note.n_descsz + 3ull) & ~3ull);
    if (next > end) return;
    const bool is_gnu =
        note.n_namesz == 4 && __builtin_memcmp(reinterpret_cast<void*>(name), "GNU", 4) == 0;
    if (is_gnu && note.n_type == NT_GNU_BUILD_ID && note.n_descsz <= sizeof(module->build_id)) {
      module->build_id_length = static_cast<uint8_t>(note.n_descsz);
      __builtin_memcpy(module->build_id, reinterpret_cast<void*>(description), note.n_descsz);
      return;
    }
    at = next;
  }
}

// The first mapped page holds the ELF and program headers in every module that a linker makes; one that
// does not is entered without a build id.
void set_build_id(Module* module, const FoundObject& object) {
  const uint64_t begin = reinterpret_cast<uint64_t>(object.map_begin);
  Elf64_Ehdr header;
  if (!is_in(object, begin, sizeof(header))) return;
  __builtin_memcpy(&header, object.map_begin, sizeof(header));
  if (__builtin_memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return;
  if (header.e_phoff + header.e_phnum * sizeof(Elf64_Phdr) > 4096) return;
  const auto* segments = reinterpret_cast<const Elf64_Phdr*>(begin + header.e_phoff);
  for (uint32_t i = 0; i < header.e_phnum && module->build_id_length == 0; i++) {
    if (segments[i].p_type != PT_NOTE) continue;
    const uint64_t notes = object.map->l_addr + segments[i].p_vaddr;
    if (is_in(object, notes, segments[i].p_memsz)) {
      set_build_id_from_notes(module, notes, notes + segments[i].p_memsz);
    }
  }
}

void fill(Module* module, const FoundObject& object, uint64_t now_ms) {
  set_path(module, name_of(object.map));
  set_build_id(module, object);
  module->load_bias = object.map->l_addr;
  module->loaded_ms = now_ms;
  store_release(&module->begin, reinterpret_cast<uint64_t>(object.map_begin));
}

uint32_t known_module(const Recording* recording, uint64_t pc) {
  const uint32_t count = load_acquire(&recording->header.module_count);
  for (uint32_t i = 0; i < count && i < recording::kModuleCapacity; i++) {
    const Module* module = &recording->modules[i];
    const uint64_t begin = load_acquire(&module->begin);
    if (begin != 0 && begin <= pc && pc < module->end && load_relaxed(&module->unloaded_ms) == 0)
      return i;
  }
  return kNoModule;
}

// True when the entry stands for this module, finished or still being written by someone else.
bool is_entry_of(const Module* module, uint64_t begin, uint64_t end) {
  const uint64_t seen = load_acquire(&module->begin);
  return load_relaxed(&module->end) == end && (seen == 0 || seen == begin) &&
         load_relaxed(&module->unloaded_ms) == 0;
}

// Compares ranges, not names: the link_map of a module that is not on our own stack may be freed by
// another thread's dlclose while it is read.
bool is_gone(uint64_t begin, uint64_t end) {
  if (dl_find_object_or_null == nullptr) return is_unlisted(begin, end);
  FoundObject object;
  return !find_object(begin, &object) || reinterpret_cast<uint64_t>(object.map_begin) != begin ||
         reinterpret_cast<uint64_t>(object.map_end) != end;
}

}  // namespace

void note_program_path() {
  const int64_t length = read_link("/proc/self/exe", program_path, sizeof(program_path));
  program_path_length = length > 0 ? length : 0;
}

uint64_t recording_now_ms(const Recording* recording) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const uint64_t now_ns =
      static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
  const uint64_t start_ns = recording->header.start_time_ns;
  return now_ns > start_ns ? (now_ns - start_ns) / 1000000u : 0;
}

uint32_t note_module(Recording* recording, uint64_t pc, uint64_t now_ms) {
  const uint32_t known = known_module(recording, pc);
  if (known != kNoModule) return known;
  FoundObject object;
  if (!find_object(pc, &object)) return kNoModule;
  const uint64_t begin = reinterpret_cast<uint64_t>(object.map_begin);
  const uint64_t end = reinterpret_cast<uint64_t>(object.map_end);
  if (object.map == nullptr) object.map = find_listed_map(begin, end);
  if (object.map == nullptr) return kNoModule;
  for (uint32_t i = 0; i < recording::kModuleCapacity; i++) {
    Module* module = &recording->modules[i];
    if (is_entry_of(module, begin, end)) return i;
    if (load_relaxed(&module->end) != 0) continue;
    if (replace_if<uint64_t>(&module->end, 0, end)) {
      fill(module, object, now_ms);
      raise_to(&recording->header.module_count, i + 1);
      return i;
    }
    if (is_entry_of(module, begin, end)) return i;
  }
  add_relaxed<uint64_t>(&recording->header.losses.module_full_count, 1);
  return kNoModule;
}

void mark_unloaded_modules(Recording* recording, uint64_t now_ms) {
  const uint32_t count = load_acquire(&recording->header.module_count);
  for (uint32_t i = 0; i < count && i < recording::kModuleCapacity; i++) {
    Module* module = &recording->modules[i];
    const uint64_t begin = load_acquire(&module->begin);
    if (begin == 0 || load_relaxed(&module->unloaded_ms) != 0) continue;
    if (is_gone(begin, module->end))
      store_release(&module->unloaded_ms, now_ms != 0 ? now_ms : uint64_t{1});
  }
}

}  // namespace shim
