// SPDX-License-Identifier: Apache-2.0
#include "symbols/symbolizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/path.h"
#include "symbols/function_table.h"

namespace offheap {
namespace {

/// A module and, once it was asked for, its functions.
struct LoadedModule {
  RecordedModule module;
  bool tried = false;
  SymbolSource source = SymbolSource::kNone;
  std::optional<FunctionTable> table;

  [[nodiscard]] bool has_names() const { return table && !table->functions.empty(); }
};

bool is_kernel_module(const RecordedModule& module) {
  return module.path.empty() || module.path.front() == '[' ||
         module.path.compare(0, 10, "linux-vdso") == 0;
}

bool ids_differ(const std::vector<std::uint8_t>& loaded, const std::vector<std::uint8_t>& on_disk) {
  return !loaded.empty() && loaded != on_disk;
}

/// Reads files as long as there is time and memory: a target may name as many as it likes.
class FileReading {
 public:
  explicit FileReading(const SymbolOptions& options)
      : time_left_(options.most_time), bytes_left_(options.most_bytes) {}

  [[nodiscard]] bool is_over() const { return time_left_.count() <= 0 || bytes_left_ == 0; }

  std::optional<FunctionTable> read(const TargetPath& file) {
    if (is_over()) return std::nullopt;
    ApartLimits limits;
    limits.deadline = std::min(limits.deadline, time_left_);
    limits.answer_bytes = std::min(limits.answer_bytes, bytes_left_);
    const auto begin = Clock::now();
    auto table = read_target_functions(file.root, file.path, limits);
    time_left_ -= std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
    if (table) bytes_left_ -= std::min(bytes_left_, bytes_of(*table));
    return table;
  }

 private:
  using Clock = std::chrono::steady_clock;

  static Bytes bytes_of(const FunctionTable& table) {
    Bytes bytes = 0;
    for (const FunctionSymbol& function : table.functions)
      bytes += sizeof function + function.name.size();
    return bytes;
  }

  std::chrono::milliseconds time_left_;
  Bytes bytes_left_;
};

/// The first candidate that is the debug file of `table`'s file.
std::optional<FunctionTable> read_debug_file(const FunctionTable& table, const std::string& path,
                                             const SymbolOptions& options, FileReading& reading) {
  for (const TargetPath& candidate :
       debug_file_candidates(table, path, options.root, options.debug_directories)) {
    std::optional<FunctionTable> debug = reading.read(candidate);
    if (debug && debug->has_symtab && !ids_differ(table.build_id, debug->build_id)) return debug;
  }
  return std::nullopt;
}

void load(LoadedModule* loaded, const SymbolOptions& options, FileReading& reading) {
  loaded->tried = true;
  const RecordedModule& module = loaded->module;
  if (is_kernel_module(module)) {
    loaded->source = SymbolSource::kKernel;
    return;
  }
  if (reading.is_over()) loaded->source = SymbolSource::kTooMuch;
  std::optional<FunctionTable> table = reading.read({options.root, module.path});
  if (!table) return;
  if (ids_differ(module.build_id, table->build_id)) {
    loaded->source = SymbolSource::kFileChanged;
    return;
  }
  loaded->source = SymbolSource::kFile;
  if (!table->has_symtab)
    if (std::optional<FunctionTable> debug = read_debug_file(*table, module.path, options, reading)) {
      loaded->source = SymbolSource::kDebugFile;
      table = std::move(debug);
    }
  loaded->table = std::move(table);
}

const char* reason(SymbolSource source) {
  switch (source) {
    case SymbolSource::kFileChanged:
      return "the file has changed since it was loaded";
    case SymbolSource::kTooMuch:
      return "not read, the files before it took all the time or memory there is for names";
    case SymbolSource::kNone:
      return "the file cannot be read";
    default:
      return "the file has no symbols";
  }
}

}  // namespace

class Symbolizer::Implementation {
 public:
  Implementation(std::vector<RecordedModule> modules, SymbolOptions options)
      : options_(std::move(options)), reading_(options_) {
    for (RecordedModule& module : modules) modules_.push_back({std::move(module), false, {}, {}});
  }

  /// The module that held `address`; one that is still loaded before one that is gone.
  LoadedModule* module_at(Address address) {
    LoadedModule* found = nullptr;
    for (LoadedModule& loaded : modules_)
      if (loaded.module.range.contains(address) && (found == nullptr || found->module.unloaded))
        found = &loaded;
    if (found != nullptr && !found->tried) load(found, options_, reading_);
    return found;
  }

  std::vector<LoadedModule> modules_;
  SymbolOptions options_;
  FileReading reading_;
};

Symbolizer::Symbolizer(std::vector<RecordedModule> modules, SymbolOptions options)
    : implementation_(std::make_unique<Implementation>(std::move(modules), std::move(options))) {}
Symbolizer::~Symbolizer() = default;
Symbolizer::Symbolizer(Symbolizer&&) noexcept = default;
Symbolizer& Symbolizer::operator=(Symbolizer&&) noexcept = default;

SymbolFrame Symbolizer::resolve_return_address(Address address) {
  Address call = address == 0 ? 0 : address - 1;
  const LoadedModule* loaded = implementation_->module_at(call);
  if (loaded == nullptr) return {fmt::format("0x{:x}", address), "", 0, false};
  SymbolFrame frame;
  frame.module =
      loaded->source == SymbolSource::kKernel ? "[vdso]" : std::string(base_name(loaded->module.path));
  Address virtual_address = call - loaded->module.load_bias;
  if (const FunctionSymbol* function =
          loaded->table ? find_function(*loaded->table, virtual_address) : nullptr) {
    frame.function = demangled(function->name);
    frame.offset = virtual_address - function->begin;
    frame.named = true;
    return frame;
  }
  // The ELF virtual address, which addr2line and objdump take as it is.
  frame.offset = address - loaded->module.load_bias;
  frame.function = fmt::format("{}+0x{:x}", frame.module, frame.offset);
  return frame;
}

SymbolSource Symbolizer::source_of(Address address) {
  const LoadedModule* loaded = implementation_->module_at(address);
  return loaded == nullptr ? SymbolSource::kNone : loaded->source;
}

std::vector<std::string> Symbolizer::notes() const {
  std::vector<std::string> notes;
  for (const LoadedModule& loaded : implementation_->modules_)
    if (loaded.tried && !loaded.has_names() && loaded.source != SymbolSource::kKernel)
      notes.push_back(fmt::format("{}: {}; frames are given as module+offset",
                                  base_name(loaded.module.path), reason(loaded.source)));
  return notes;
}

}  // namespace offheap
