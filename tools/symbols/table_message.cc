// SPDX-License-Identifier: Apache-2.0
#include "symbols/table_message.h"

#include <cstring>

namespace offheap {
namespace {

constexpr std::size_t kBuildIdLimitBytes = 64;

void add_number(std::string& message, std::uint64_t value) {
  message.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void add_text(std::string& message, std::string_view text) {
  add_number(message, text.size());
  message.append(text);
}

/// Takes from the front; once something is missing, everything is.
class Taker {
 public:
  explicit Taker(std::string_view message) : rest_(message) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    const std::string_view bytes = take(sizeof value);
    if (bytes.size() == sizeof value) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }

  std::string_view text() { return take(number()); }

  [[nodiscard]] bool missing() const { return missing_; }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }

 private:
  std::string_view take(std::uint64_t size) {
    missing_ = missing_ || size > rest_.size();
    if (missing_) return {};
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool missing_ = false;
};

/// Behind every function before it.
bool is_next(const FunctionTable& table, const FunctionSymbol& function) {
  return !function.name.empty() &&
         (table.functions.empty() || table.functions.back().begin < function.begin);
}

}  // namespace

std::string encode_function_table(const FunctionTable& table) {
  std::string message;
  add_text(message, {reinterpret_cast<const char*>(table.build_id.data()), table.build_id.size()});
  add_text(message, table.debug_link);
  add_number(message, table.has_symtab ? 1 : 0);
  for (const FunctionSymbol& function : table.functions) {
    add_number(message, function.begin);
    add_number(message, function.size);
    add_text(message, function.name);
  }
  return message;
}

std::optional<FunctionTable> decode_function_table(std::string_view message) {
  Taker taker(message);
  FunctionTable table;
  const std::string_view build_id = taker.text();
  table.build_id.assign(build_id.begin(), build_id.end());
  table.debug_link = taker.text();
  table.has_symtab = taker.number() == 1;
  if (table.build_id.size() > kBuildIdLimitBytes || table.debug_link.find('/') != std::string::npos)
    return std::nullopt;
  while (!taker.missing() && taker.left() != 0) {
    FunctionSymbol function;
    function.begin = taker.number();
    function.size = taker.number();
    function.name = taker.text();
    if (!is_next(table, function)) return std::nullopt;
    table.functions.push_back(std::move(function));
  }
  if (taker.missing()) return std::nullopt;
  return table;
}

}  // namespace offheap
