// SPDX-License-Identifier: Apache-2.0
//
// Real JVMs, started for this and stopped, with words of their memory shown otherwise: those that are
// read of them, so tables, flags, the heap's bounds, threads, classes and objects.
//
//   input = which JVM (1), patches of 16 bytes: place, kind, element (2), offset (4), value (8)
#include <sys/personality.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "fuzz.h"
#include "hotspot/hotspot.h"
#include "hotspot/java_objects.h"
#include "hotspot/java_threads.h"
#include "hotspot/vm_flags.h"
#include "hotspot/vm_regions.h"
#include "hotspot_checks.h"
#include "patched_memory.h"
#include "procfs/process_memory.h"

namespace {

using offheap::Address;
using offheap::Bytes;
using offheap::kPageBytes;
using offheap::Mapping;
using offheap::Range;

struct Kind {
  std::string java;
  const char* collector = nullptr;
};

/// Every collector of every Java that Debian's packages have put here.
std::vector<Kind> find_kinds() {
  std::set<std::string> binaries;
  for (const auto& home : std::filesystem::directory_iterator("/usr/lib/jvm"))
    if (const auto java = home.path() / "bin/java"; access(java.c_str(), X_OK) == 0)
      binaries.insert(std::filesystem::canonical(java));
  std::vector<Kind> kinds;
  for (const std::string& java : binaries)
    for (const char* collector :
         {"-XX:+UseSerialGC", "-XX:+UseParallelGC", "-XX:+UseG1GC", "-XX:+UseZGC"})
      kinds.push_back({java, collector});
  fuzz::require(!kinds.empty(), "there is a Java");
  return kinds;
}

/// In the child. The debugger that it waits for never comes; the same addresses in every run, so that
/// an input means the same.
[[noreturn]] void become_jvm(const Kind& kind, int out) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  personality(ADDR_NO_RANDOMIZE);
  dup2(out, STDOUT_FILENO);
  const char* debugger = "-agentlib:jdwp=transport=dt_socket,server=y,suspend=y,address=127.0.0.1:0";
  execl(kind.java.c_str(), "java", "-Xmx32m", "-XX:-UsePerfData", kind.collector, debugger, "-version",
        nullptr);
  _exit(127);
}

/// A JVM that has come up and is stopped; it ends with this process.
pid_t start_jvm(const Kind& kind) {
  std::array<int, 2> ends{};
  fuzz::require(pipe(ends.data()) == 0, "a pipe can be made");
  const pid_t pid = fork();
  if (pid == 0) become_jvm(kind, ends[1]);
  close(ends[1]);
  std::array<char, 256> said{};
  fuzz::require(read(ends[0], said.data(), said.size() - 1) > 0 &&
                    std::string(said.data()).find("Listening") != std::string::npos,
                "a JVM can be started");
  fuzz::require(kill(pid, SIGSTOP) == 0, "the JVM can be stopped");
  usleep(100'000);  // until its threads stand still
  return pid;
}

/// Pages as they were when they were first read.
class KeptMemory : public offheap::MemoryReader {
 public:
  explicit KeptMemory(const offheap::MemoryReader& memory) : memory_(memory) {}

  std::size_t read(Address address, std::span<std::byte> out) const override {
    fuzz::require(address % kPageBytes == 0 && out.size() == kPageBytes, "pages are read whole");
    const auto [page, fresh] = pages_.try_emplace(address, kPageBytes);
    if (fresh) page->second.resize(memory_.read(address, page->second));
    std::copy(page->second.begin(), page->second.end(), out.begin());
    return page->second.size();
  }
  std::vector<bool> resident_pages(Range range) const override {
    const auto [pages, fresh] = resident_.try_emplace({range.begin, range.end});
    if (fresh) pages->second = memory_.resident_pages(range);
    return pages->second;
  }

 private:
  const offheap::MemoryReader& memory_;
  mutable std::unordered_map<Address, std::vector<std::byte>> pages_;
  mutable std::map<std::pair<Address, Address>, std::vector<bool>> resident_;
};

/// Keeps what words are asked for.
class NotingMemory : public offheap::CarefulMemory {
 public:
  using CarefulMemory::CarefulMemory;
  std::size_t read(Address address, std::span<std::byte> out) const override {
    for (Address word = address & ~Address{7}; word < address + out.size(); word += 8)
      words.insert(word);
    return CarefulMemory::read(address, out);
  }
  mutable std::set<Address> words;
};

Range extent_of(std::span<const Mapping> mappings, const std::string& path) {
  Range extent{~Address{0}, 0};
  for (const Mapping& mapping : mappings) {
    if (mapping.path != path) continue;
    extent.begin = std::min(extent.begin, mapping.range.begin);
    extent.end = std::max(extent.end, mapping.range.end + (Bytes{1} << 20));  // its bss
  }
  return extent;
}

/// A JVM as it was read before anything was shown otherwise.
struct Jvm {
  explicit Jvm(const Kind& kind) : process(fuzz::whole(offheap::Process::open(start_jvm(kind)))) {
    const std::string path = offheap::libjvm_path(mappings);
    const Range library = extent_of(mappings, path);
    const NotingMemory noting(kept, mappings, path, {});
    const auto symbols = offheap::ExportedSymbols::load(noting, library.begin);
    fuzz::require(symbols.has_value(), "libjvm.so is found");
    const auto tables = offheap::VmTables::load(noting, *symbols);
    fuzz::require(tables.has_value(), "its tables are found");
    read_all(offheap::Vm(noting, *tables, library));
    for (const Address word : noting.words)
      (library.contains(word) ? tables_words : words).push_back(word);
    for (const Mapping& mapping : mappings)
      if (mapping.path.empty()) unowned.push_back(mapping.range);
  }

  /// As Hotspot::read.
  void read_all(const offheap::Vm& vm) const {
    offheap::HotspotReport report;
    report.flags = offheap::read_vm_flags(vm);
    report.gc = offheap::collector_name(report.flags);
    offheap::read_regions(vm, mappings, report);
    const offheap::JavaObjects objects(vm, report);
    report.threads = offheap::list_java_threads(vm, objects);
    report.direct = offheap::read_direct_memory(vm, objects, report);
    report.classes = objects.count_classes();
    fuzz::require(!report.flags.empty() && report.heap && report.metaspace && !report.threads.empty() &&
                      report.direct && report.classes.complete && report.ranges.size() > 3,
                  "all of a JVM is read while nothing is changed");
  }

  static const Jvm& get(std::size_t number) {
    static const std::vector<Kind> kinds = find_kinds();
    static std::vector<std::unique_ptr<const Jvm>> jvms(kinds.size());
    auto& jvm = jvms[number % kinds.size()];
    if (!jvm) jvm = std::make_unique<const Jvm>(kinds[number % kinds.size()]);
    return *jvm;
  }

  offheap::Process process;
  offheap::ProcessMemory memory = fuzz::whole(offheap::ProcessMemory::open(process));
  std::vector<Mapping> mappings = fuzz::whole(process.read_smaps());
  KeptMemory kept{memory};
  std::vector<Address> tables_words;  ///< in libjvm.so: its tables, its statics
  std::vector<Address> words;         ///< everywhere else
  std::vector<Range> unowned;
};

/// Kinds: any value; a pointer to what is read elsewhere; a pointer into a mapping; a size.
void show(fuzz::PatchedMemory& memory, const Jvm& jvm, const fuzz::PatchInput& patch) {
  const auto& words = patch.place % 4 == 0 ? jvm.tables_words : jvm.words;
  const Address word = words[patch.offset % words.size()];
  switch (patch.kind % 4) {
    case 0:
      return memory.show(word, patch.value);
    case 1:
      return memory.show(word, jvm.words[patch.value % jvm.words.size()]);
    case 2:
      return memory.show(word, jvm.mappings[patch.element % jvm.mappings.size()].range.begin +
                                   patch.value % 0x10000 / 8 * 8);
    default:
      return memory.show(word, patch.value % (Bytes{1} << 37));
  }
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> input(data, size);
  const Jvm& jvm = Jvm::get(input.empty() ? 0 : input.front());
  fuzz::PatchedMemory memory(jvm.kept);
  for (const fuzz::PatchInput& patch :
       fuzz::read_patches(input.subspan(std::min<std::size_t>(size, 1))))
    show(memory, jvm, patch);
  const double begin = cpu_seconds();
  if (const auto hotspot = offheap::Hotspot::find(memory, jvm.mappings, {})) {
    fuzz::check(hotspot->read());
    for (const auto& inferred : hotspot->infer(jvm.unowned))
      fuzz::require(inferred.range.begin < inferred.range.end, "what is inferred is memory");
  }
  fuzz::require(cpu_seconds() - begin < 20, "a look ends soon, also under a sanitizer");
  return 0;
}
