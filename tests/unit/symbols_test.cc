// SPDX-License-Identifier: Apache-2.0
//
// Names of real return addresses into libraries as they are shipped: whole, stripped, with their debug
// files elsewhere, replaced while loaded. symbols/library.cc is what is loaded; recording.cmake makes
// the variants of it with objcopy.
#include "symbols/symbolizer.h"

#include <dlfcn.h>
#include <elf.h>
#include <gtest/gtest.h>
#include <link.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

#include "temporary_folder.h"

namespace offheap {
namespace {

namespace fs = std::filesystem;

// recording.cmake links the library with this one.
constexpr std::uint8_t kBuildId[] = {0x0f, 0xf4, 0xea, 0xb0, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06,
                                     0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10};

std::string variant(const std::string& name) { return SYMBOLS_FOLDER "/" + name; }

/// What the shim would record of a loaded library, from the loader and the library's own memory.
int fill_module(dl_phdr_info* info, std::size_t, void* out) {
  auto* module = static_cast<RecordedModule*>(out);
  if (module->path != info->dlpi_name) return 0;
  module->load_bias = info->dlpi_addr;
  module->range.begin = ~Address{0};
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = info->dlpi_phdr[i];
    const Address begin = info->dlpi_addr + header.p_vaddr;
    if (header.p_type == PT_LOAD) {
      module->range.begin = std::min(module->range.begin, begin & ~Address{4095});
      module->range.end = std::max(module->range.end, begin + header.p_memsz);
    }
    if (header.p_type != PT_NOTE) continue;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(begin);
    ElfW(Nhdr) note;
    std::memcpy(&note, bytes, sizeof note);
    if (note.n_type != NT_GNU_BUILD_ID) continue;
    bytes += sizeof note + 4;  // behind "GNU"
    module->build_id.assign(bytes, bytes + note.n_descsz);
  }
  return 1;
}

/// One variant of the library, loaded; its module as the recording has it.
class Loaded {
 public:
  explicit Loaded(std::string path) : handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    module.path = std::move(path);
    if (handle_ == nullptr || dl_iterate_phdr(fill_module, &module) == 0)
      throw std::runtime_error(dlerror());
  }
  ~Loaded() { dlclose(handle_); }
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;

  [[nodiscard]] Address address_of(const char* name) const {
    return reinterpret_cast<Address>(dlsym(handle_, name));
  }

  /// The return address that a callback finds in the function that calls it.
  [[nodiscard]] Address call_in_method() const {
    reinterpret_cast<int (*)(void (*)())>(address_of("call_method"))(note_caller);
    return caller_;
  }
  [[nodiscard]] Address call_in_static() const {
    reinterpret_cast<int (*)(void (*)(), int)>(address_of("call_static"))(note_caller, 1);
    return caller_;
  }

  RecordedModule module;

 private:
  static void note_caller() { caller_ = reinterpret_cast<Address>(__builtin_return_address(0)); }

  static Address caller_;
  void* handle_;
};

Address Loaded::caller_ = 0;

Symbolizer symbolizer_of(const Loaded& loaded, SymbolOptions options = {"", {}}) {
  return {{loaded.module}, std::move(options)};
}

std::string module_and_offset(const Loaded& loaded, const std::string& name, Address address) {
  char text[32];
  std::snprintf(text, sizeof text, "+0x%lx",
                static_cast<unsigned long>(address - loaded.module.load_bias));
  return name + text;
}

TEST(Symbols, LoadedLibrary_HasTheBuildIdItWasLinkedWith) {
  const Loaded loaded(variant("library.so"));
  EXPECT_EQ(loaded.module.build_id,
            std::vector<std::uint8_t>(std::begin(kBuildId), std::end(kBuildId)));
}

TEST(Symbols, Method_IsDemangledWithItsOffset) {
  const Loaded loaded(variant("library.so"));
  Symbolizer symbolizer = symbolizer_of(loaded);
  const Address address = loaded.call_in_method();
  const SymbolFrame frame = symbolizer.resolve_return_address(address);
  EXPECT_EQ(frame.function, "plugin::Table::add(void (*)(), unsigned long)");
  EXPECT_EQ(frame.module, "library.so");
  EXPECT_TRUE(frame.named);
  EXPECT_EQ(frame.offset,
            address - 1 - loaded.address_of("_ZN6plugin5Table3addEPFvvEm"));  // the call's own bytes
  EXPECT_EQ(symbolizer.source_of(address), SymbolSource::kFile);
  EXPECT_TRUE(symbolizer.notes().empty());
}

TEST(Symbols, StaticFunction_IsNamedFromSymtab) {
  const Loaded loaded(variant("library.so"));
  const SymbolFrame frame = symbolizer_of(loaded).resolve_return_address(loaded.call_in_static());
  EXPECT_EQ(frame.function, "plugin::not_exported(void (*)(), int)");
}

TEST(Symbols, CallAsLastInstruction_IsNotTheNextFunction) {
  const Loaded loaded(variant("library.so"));
  Symbolizer symbolizer = symbolizer_of(loaded);
  const Address behind = loaded.address_of("begins_behind");
  ASSERT_NE(behind, 0U);
  EXPECT_EQ(symbolizer.resolve_return_address(behind).function, "ends_in_call");
  EXPECT_EQ(symbolizer.resolve_return_address(behind + 1).function, "begins_behind");
}

TEST(Symbols, StrippedLibrary_KeepsExportedNamesOnly) {
  const Loaded loaded(variant("stripped.so"));
  Symbolizer symbolizer = symbolizer_of(loaded);
  EXPECT_EQ(symbolizer.resolve_return_address(loaded.call_in_method()).function,
            "plugin::Table::add(void (*)(), unsigned long)");
  const Address in_static = loaded.call_in_static();
  const SymbolFrame frame = symbolizer.resolve_return_address(in_static);
  EXPECT_FALSE(frame.named);
  EXPECT_EQ(frame.function, module_and_offset(loaded, "stripped.so", in_static));
  EXPECT_EQ(frame.offset, in_static - loaded.module.load_bias);
  EXPECT_EQ(symbolizer.source_of(in_static), SymbolSource::kFile);
}

TEST(Symbols, StrippedProgram_GivesModuleAndOffsetAndANote) {
  RecordedModule module;
  module.path = variant("stripped_program");
  module.range = {0x555555554000, 0x555555560000};
  module.load_bias = module.range.begin;
  Symbolizer symbolizer({module}, {"", {}});
  const SymbolFrame frame = symbolizer.resolve_return_address(module.range.begin + 0x1234);
  EXPECT_EQ(frame.function, "stripped_program+0x1234");
  EXPECT_FALSE(frame.named);
  EXPECT_EQ(symbolizer.notes(),
            std::vector<std::string>{
                "stripped_program: the file has no symbols; frames are given as module+offset"});
}

TEST(Symbols, DebugLink_IsFollowedBesideTheFile) {
  const Loaded loaded(variant("linked.so"));  // its debug file stands in .debug
  Symbolizer symbolizer = symbolizer_of(loaded);
  const Address address = loaded.call_in_static();
  EXPECT_EQ(symbolizer.resolve_return_address(address).function,
            "plugin::not_exported(void (*)(), int)");
  EXPECT_EQ(symbolizer.source_of(address), SymbolSource::kDebugFile);
}

TEST(Symbols, BuildId_FindsTheDebugFileInADebugFolder) {
  const Loaded loaded(variant("stripped.so"));
  Symbolizer symbolizer = symbolizer_of(loaded, {"", {variant("debug")}});
  const Address address = loaded.call_in_static();
  EXPECT_EQ(symbolizer.resolve_return_address(address).function,
            "plugin::not_exported(void (*)(), int)");
  EXPECT_EQ(symbolizer.source_of(address), SymbolSource::kDebugFile);
}

TEST(Symbols, DebugFileOfAnotherBuild_IsNotUsed) {
  const TemporaryFolder folder;
  fs::copy_file(variant("linked.so"), folder.path / "linked.so");
  fs::copy_file(variant("replacement.so"), folder.path / "linked.so.debug");
  const Loaded loaded(folder.path / "linked.so");
  Symbolizer symbolizer = symbolizer_of(loaded);
  const Address address = loaded.call_in_static();
  EXPECT_EQ(symbolizer.resolve_return_address(address).function,
            module_and_offset(loaded, "linked.so", address));
  EXPECT_EQ(symbolizer.source_of(address), SymbolSource::kFile);
}

TEST(Symbols, FileReplacedSinceItWasLoaded_GivesNoNamesAndSaysSo) {
  const TemporaryFolder folder;
  fs::copy_file(variant("library.so"), folder.path / "library.so");
  const Loaded loaded(folder.path / "library.so");
  fs::copy_file(variant("replacement.so"), folder.path / "new");
  fs::rename(folder.path / "new", folder.path / "library.so");
  Symbolizer symbolizer = symbolizer_of(loaded);
  const Address address = loaded.call_in_method();
  const SymbolFrame frame = symbolizer.resolve_return_address(address);
  EXPECT_FALSE(frame.named);
  EXPECT_EQ(frame.function, module_and_offset(loaded, "library.so", address));
  EXPECT_EQ(symbolizer.source_of(address), SymbolSource::kFileChanged);
  EXPECT_EQ(symbolizer.notes(),
            std::vector<std::string>{"library.so: the file has changed since it was loaded; frames are "
                                     "given as module+offset"});
}

TEST(Symbols, FileGone_GivesNoNamesAndSaysSo) {
  const Loaded loaded(variant("library.so"));
  RecordedModule module = loaded.module;
  module.path = "/no/such/library.so";
  Symbolizer symbolizer({module}, {"", {}});
  const Address address = loaded.call_in_method();
  EXPECT_EQ(symbolizer.resolve_return_address(address).function,
            module_and_offset(loaded, "library.so", address));
  EXPECT_EQ(symbolizer.source_of(address), SymbolSource::kNone);
  ASSERT_EQ(symbolizer.notes().size(), 1U);
  EXPECT_NE(symbolizer.notes()[0].find("the file cannot be read"), std::string::npos);
}

TEST(Symbols, Root_IsPutBeforeThePath) {
  const TemporaryFolder root;
  fs::create_directories(root.path / "opt");
  fs::copy_file(variant("library.so"), root.path / "opt/library.so");
  const Loaded loaded(variant("library.so"));
  RecordedModule module = loaded.module;
  module.path = "/opt/library.so";
  Symbolizer symbolizer({module}, {root.path, {}});
  EXPECT_TRUE(symbolizer.resolve_return_address(loaded.call_in_static()).named);
}

TEST(Symbols, UnloadedModule_NamesWhatNoLoadedOneHolds) {
  const Loaded loaded(variant("library.so"));
  RecordedModule gone = loaded.module;
  gone.unloaded = true;
  const Address address = loaded.call_in_static();
  EXPECT_TRUE(Symbolizer({gone}, {"", {}}).resolve_return_address(address).named);

  // Another one was loaded where it stood: its names count, in either order of the table.
  RecordedModule successor = loaded.module;
  successor.path = variant("stripped_program");
  successor.build_id.clear();
  for (const auto& modules : {std::vector{gone, successor}, std::vector{successor, gone}}) {
    const SymbolFrame frame = Symbolizer(modules, {"", {}}).resolve_return_address(address);
    EXPECT_EQ(frame.module, "stripped_program");
    EXPECT_FALSE(frame.named);
  }
}

TEST(Symbols, KernelModules_AreNamedVdsoWithoutANote) {
  for (const char* path : {"", "[vdso]", "linux-vdso.so.1"}) {
    RecordedModule module;
    module.path = path;
    module.range = {0x7fff00000000, 0x7fff00002000};
    module.load_bias = module.range.begin;
    Symbolizer symbolizer({module}, {"", {}});
    const SymbolFrame frame = symbolizer.resolve_return_address(module.range.begin + 0x800);
    EXPECT_EQ(frame.function, "[vdso]+0x800") << "path '" << path << "'";
    EXPECT_EQ(frame.module, "[vdso]");
    EXPECT_FALSE(frame.named);
    EXPECT_EQ(symbolizer.source_of(module.range.begin), SymbolSource::kKernel);
    EXPECT_TRUE(symbolizer.notes().empty());
  }
}

TEST(Symbols, AddressInNoModule_IsItsHexadecimalSelf) {
  Symbolizer symbolizer({}, {});
  EXPECT_EQ(symbolizer.resolve_return_address(0x1234).function, "0x1234");
  EXPECT_EQ(symbolizer.resolve_return_address(0).function, "0x0");
  EXPECT_EQ(symbolizer.resolve_return_address(~Address{0}).module, "");
  EXPECT_EQ(symbolizer.source_of(0x1234), SymbolSource::kNone);
}

TEST(Demangled, RustNames_LoseTheirHash) {
  EXPECT_EQ(demangled("_ZN4core3fmt5write17h0123456789abcdefE"), "core::fmt::write");
  EXPECT_EQ(demangled("_ZN4core3fmt5write17h0123456789abcdxxE"),
            "core::fmt::write::h0123456789abcdxx");  // no hash
}

// f(A<int, int>, A<S0, S0>, A<S1, S1>, ...): each parameter is twice as long as the last.
std::string doubling_name(int levels) {
  std::string name = "_Z1f1AIiiE";
  for (int i = 0; i < levels; ++i) {
    const std::string reference = std::string("S") + "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i] + "_";
    name += "S_I" + reference + reference + "E";
  }
  return name;
}

TEST(Demangled, NameThatDoublesAtEachStep_StaysAsItIs) {
  EXPECT_EQ(demangled(doubling_name(2)).find("f(A<int, int>, A<A<int, int>, A<int, int> >"), 0U);
  const std::string bomb = doubling_name(36);  // 2^36 times "int"
  ASSERT_LT(bomb.size(), 400U);
  EXPECT_EQ(demangled(bomb), bomb);
  std::string through_parameters = "_Z1fI1AIiiE";  // the same by template parameters
  for (int i = 0; i < 40; ++i) through_parameters += "S_IT_T_E";
  EXPECT_EQ(demangled(through_parameters + "EvT_"), through_parameters + "EvT_");
}

TEST(Demangled, LongNameOfARealProgram_IsDemangled) {
  const std::string name = demangled(
      "_ZNSt8_Rb_treeINSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEESt4pairIKS5_"
      "N4llvm8DenseMapImPNS8_18GlobalValueSummaryENS8_12DenseMapInfoImvEENS8_6detail12DenseMapPairImSB_"
      "EEEEESt10_Select1stISI_ESt4lessIS5_ESaISI_EE22_M_emplace_hint_uniqueIJRKSt21piecewise_construct_"
      "tSt5tupleIJOS5_EEST_IJEEEEESt17_Rb_tree_iteratorISI_ESt23_Rb_tree_const_iteratorISI_EDpOT_");
  EXPECT_NE(name.find("::_M_emplace_hint_unique<std::piecewise_construct_t const&"), std::string::npos)
      << name;
}

TEST(Demangled, OtherNames_StayAsTheyAre) {
  for (const char* name : {"", "malloc", "_Z", "_Zgarbage", "_RNvC6_123foo3bar", "h0123456789abcdef"})
    EXPECT_EQ(demangled(name), name);
  EXPECT_EQ(demangled("_ZNSt6vectorIiSaIiEE9push_backEOi"),
            "std::vector<int, std::allocator<int> >::push_back(int&&)");
}

}  // namespace
}  // namespace offheap
