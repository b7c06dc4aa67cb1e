// SPDX-License-Identifier: Apache-2.0
//
// The module table against what the loader and the ELF notes of this process say.
#include "libshim/unwind/modules.h"

#include <dlfcn.h>
#include <elf.h>
#include <gtest/gtest.h>
#include <link.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cmath>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/property/shim_recording.h"

namespace {

using recording::Module;
using shim_test::OwnRecording;

uint64_t address_of(const void* code) { return reinterpret_cast<uint64_t>(code); }

std::string path_of(const Module& module) { return {module.path, module.path_length}; }

std::string own_path() {
  char buffer[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", buffer, sizeof(buffer));
  return {buffer, static_cast<size_t>(length)};
}

struct Wanted {
  uint64_t pc;
  uint64_t load_bias;
  std::vector<uint8_t> build_id;
  bool is_found;
};

void read_notes(const uint8_t* at, const uint8_t* end, Wanted* wanted) {
  while (at < end) {
    ElfW(Nhdr) note;
    memcpy(&note, at, sizeof(note));
    const uint8_t* description = at + sizeof(note) + (note.n_namesz + 3) / 4 * 4;
    if (note.n_type == NT_GNU_BUILD_ID)
      wanted->build_id.assign(description, description + note.n_descsz);
    at = description + (note.n_descsz + 3) / 4 * 4;
  }
}

int look_at(dl_phdr_info* info, size_t, void* data) {
  auto* wanted = static_cast<Wanted*>(data);
  bool is_it = false;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const uint64_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    const uint64_t end = begin + info->dlpi_phdr[i].p_memsz;
    is_it |= info->dlpi_phdr[i].p_type == PT_LOAD && wanted->pc >= begin && wanted->pc < end;
  }
  if (!is_it) return 0;
  wanted->is_found = true;
  wanted->load_bias = info->dlpi_addr;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    if (info->dlpi_phdr[i].p_type != PT_NOTE) continue;
    const auto* begin = reinterpret_cast<const uint8_t*>(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    read_notes(begin, begin + info->dlpi_phdr[i].p_memsz, wanted);
  }
  return 1;
}

void expect_like_the_loader(const Module& module, uint64_t pc) {
  Wanted wanted{pc, 0, {}, false};
  dl_iterate_phdr(look_at, &wanted);
  ASSERT_TRUE(wanted.is_found);
  EXPECT_EQ(module.load_bias, wanted.load_bias);
  EXPECT_LE(module.begin, pc);
  EXPECT_GT(module.end, pc);
  EXPECT_EQ(std::vector<uint8_t>(module.build_id, module.build_id + module.build_id_length),
            wanted.build_id);
}

TEST(ShimModules, executable_is_named_by_its_path) {
  OwnRecording recording;
  const uint64_t pc = address_of(reinterpret_cast<void*>(&own_path));
  const uint32_t index = shim::note_module(recording.get(), pc, 12);
  ASSERT_NE(index, shim::kNoModule);
  const Module& module = recording->modules[index];
  const std::string path = own_path();
  const size_t capacity = sizeof(module.path);
  EXPECT_EQ(path_of(module), path.size() > capacity ? path.substr(path.size() - capacity) : path);
  EXPECT_EQ(module.loaded_ms, 12u);
  EXPECT_EQ(module.unloaded_ms, 0u);
  expect_like_the_loader(module, pc);
}

TEST(ShimModules, library_has_the_loaders_name_and_its_build_id) {
  OwnRecording recording;
  void* libc = dlopen("libc.so.6", RTLD_NOW);  // a sanitizer's own qsort comes first elsewhere
  const uint64_t pc = address_of(dlsym(libc, "qsort"));
  dlclose(libc);
  const uint32_t index = shim::note_module(recording.get(), pc, 1);
  ASSERT_NE(index, shim::kNoModule);
  EXPECT_NE(path_of(recording->modules[index]).find("libc.so.6"), std::string::npos);
  EXPECT_EQ(recording->modules[index].build_id_length, 20);
  expect_like_the_loader(recording->modules[index], pc);
}

TEST(ShimModules, vdso_is_a_module) {
  const uint64_t vdso = getauxval(AT_SYSINFO_EHDR);
  if (vdso == 0) GTEST_SKIP() << "no vdso here";
  OwnRecording recording;
  const uint32_t index = shim::note_module(recording.get(), vdso + 0x800, 1);
  ASSERT_NE(index, shim::kNoModule);
  EXPECT_NE(path_of(recording->modules[index]).find("vdso"), std::string::npos);
}

TEST(ShimModules, each_module_is_entered_once) {
  OwnRecording recording;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; thread++) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; i++) {
        shim::note_module(recording.get(), address_of(dlsym(RTLD_DEFAULT, "gnu_get_libc_version")), 1);
        shim::note_module(recording.get(), address_of(dlsym(RTLD_DEFAULT, "_ZSt9terminatev")), 1);
        shim::note_module(recording.get(), address_of(reinterpret_cast<void*>(&own_path)), 1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(recording->header.module_count, 3u);
  EXPECT_GE(recording->header.module_count, 2u);
}

TEST(ShimModules, address_outside_every_module_is_none) {
  OwnRecording recording;
  int on_stack = 0;
  EXPECT_EQ(shim::note_module(recording.get(), address_of(&on_stack), 1), shim::kNoModule);
  EXPECT_EQ(shim::note_module(recording.get(), 0, 1), shim::kNoModule);
  EXPECT_EQ(recording->header.module_count, 0u);
  EXPECT_EQ(recording->header.losses.module_full_count, 0u);
}

TEST(ShimModules, unloaded_module_keeps_its_name_and_gets_its_end) {
  OwnRecording recording;
  void* library = dlopen(SHIM_PLUGIN, RTLD_NOW);
  ASSERT_NE(library, nullptr) << dlerror();
  const uint64_t pc = address_of(dlsym(library, "call_through"));
  const uint32_t index = shim::note_module(recording.get(), pc, 5);
  ASSERT_NE(index, shim::kNoModule);
  shim::mark_unloaded_modules(recording.get(), 6);
  EXPECT_EQ(recording->modules[index].unloaded_ms, 0u);
  dlclose(library);
  shim::mark_unloaded_modules(recording.get(), 7);
  EXPECT_EQ(recording->modules[index].unloaded_ms, 7u);
  EXPECT_NE(path_of(recording->modules[index]).find("shim_plugin"), std::string::npos);
  library = dlopen(SHIM_PLUGIN, RTLD_NOW);
  ASSERT_NE(library, nullptr) << dlerror();
  const uint64_t again = address_of(dlsym(library, "call_through"));
  const uint32_t second = shim::note_module(recording.get(), again, 8);
  EXPECT_NE(second, index) << "a new load is a new entry";
  EXPECT_EQ(recording->modules[second].loaded_ms, 8u);
  dlclose(library);
}

TEST(ShimModules, full_table_is_a_counted_loss) {
  OwnRecording recording;
  for (Module& module : recording->modules) {
    module.begin = 0x1000;
    module.end = 0x2000;
  }
  recording->header.module_count = recording::kModuleCapacity;
  const uint64_t pc = address_of(reinterpret_cast<void*>(&own_path));
  EXPECT_EQ(shim::note_module(recording.get(), pc, 1), shim::kNoModule);
  EXPECT_EQ(recording->header.losses.module_full_count, 1u);
}

TEST(ShimModules, errno_is_left_alone) {
  OwnRecording recording;
  errno = 77;
  shim::note_module(recording.get(), address_of(reinterpret_cast<void*>(&own_path)), 1);
  shim::mark_unloaded_modules(recording.get(), 2);
  EXPECT_EQ(errno, 77);
}

}  // namespace
