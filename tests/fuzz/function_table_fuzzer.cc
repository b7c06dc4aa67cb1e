// SPDX-License-Identifier: Apache-2.0
//
// A real library with damage, read for its functions.
#include "symbols/function_table.h"

#include "damaged_library.h"
#include "fuzz.h"
#include "symbols/symbolizer.h"
#include "symbols/table_message.h"

namespace {

constexpr offheap::Address kLoadBias = 0x7f0000000000;

void check_table(const offheap::FunctionTable& table) {
  fuzz::require(table.build_id.size() <= 64, "a build id is short");
  fuzz::require(table.debug_link.find('/') == std::string::npos, "a debug link is a file's name");
  (void)offheap::debug_file_candidates(table, "/usr/lib/library.so", "/root", {"/usr/lib/debug"});
  const offheap::FunctionSymbol* previous = nullptr;
  for (const offheap::FunctionSymbol& function : table.functions) {
    fuzz::require(previous == nullptr || previous->begin < function.begin, "functions ascend");
    fuzz::require(!function.name.empty(), "a function has a name");
    fuzz::require(offheap::find_function(table, function.begin) == &function,
                  "a function is found by its begin");
    (void)offheap::demangled(function.name);
    previous = &function;
  }
}

/// What a child sends arrives; what one that was taken over sends breaks nothing.
void check_message(std::string message, std::span<const std::uint8_t> damage) {
  const auto whole = offheap::decode_function_table(message);
  fuzz::require(message.empty() || (whole && offheap::encode_function_table(*whole) == message),
                "a table arrives as it was sent");
  for (std::size_t i = 0; i + 1 < damage.size() && !message.empty(); i += 2)
    message[(damage[i] * std::size_t{257}) % message.size()] = static_cast<char>(damage[i + 1]);
  if (const auto damaged = offheap::decode_function_table(message)) check_table(*damaged);
}

void check_frames(const std::string& path, const offheap::FunctionTable* table) {
  offheap::RecordedModule module;
  module.range = {kLoadBias, kLoadBias + 0x10000};
  module.load_bias = kLoadBias;
  module.path = path;
  offheap::Symbolizer symbolizer({module}, {});
  for (offheap::Address at = kLoadBias; at <= module.range.end; at += 0x400)
    fuzz::require(!symbolizer.resolve_return_address(at).function.empty(), "a frame has a text");
  if (table == nullptr)
    fuzz::require(symbolizer.source_of(kLoadBias) == offheap::SymbolSource::kNone, "no file, no names");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int fd = fuzz::damaged_library({data, size});
  static const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const auto table = offheap::read_function_table(fd);
  if (table) check_table(*table);
  check_message(table ? offheap::encode_function_table(*table) : std::string(), {data, size});
  // The same through a child, which takes as long as a hundred inputs without one.
  static unsigned count = 0;
  if (count++ % 64 == 0) check_frames(path, table ? &*table : nullptr);
  return 0;
}
