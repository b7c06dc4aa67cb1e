// SPDX-License-Identifier: Apache-2.0
//
// Names as their source has them. A mangled name is as hostile as the file it stands in: parts of it
// refer back to earlier parts, so that 300 bytes can stand for more text than memory holds.
#include <cxxabi.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <optional>
#include <string_view>

#include "symbols/symbolizer.h"

namespace offheap {
namespace {

/// Rust's older scheme is C++'s with a hash for the last component: "a::b::h0123456789abcdef".
std::string without_rust_hash(std::string name) {
  constexpr std::size_t kSuffix = 19;  // "::h" and 16 hex digits
  if (name.size() <= kSuffix || name.compare(name.size() - kSuffix, 3, "::h") != 0) return name;
  bool is_hash =
      std::all_of(name.end() - 16, name.end(), [](unsigned char c) { return std::isxdigit(c); });
  return is_hash ? name.substr(0, name.size() - kSuffix) : name;
}

/// Takes "S_", "S1_", "T_" or "T1_" off the front of `rest`: the number that it refers to, 0 first.
std::optional<std::size_t> take_reference(std::string_view* rest) {
  constexpr std::size_t kMostDigits = 4;
  const std::size_t end = rest->find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", 1);
  if (end == std::string_view::npos || (*rest)[end] != '_' || end > 1 + kMostDigits)
    return std::nullopt;
  std::size_t number = end == 1 ? 0 : 1;
  std::size_t digits = 0;
  for (char c : rest->substr(1, end - 1))
    digits = digits * 36 + static_cast<std::size_t>(c <= '9' ? c - '0' : c - 'A' + 10);
  rest->remove_prefix(end + 1);
  return number + digits;
}

/// How long the name may become, roughly: what a reference stands for holds earlier references of lower
/// numbers only, and a template parameter may be all that went before it.
double expanded_bytes(std::string_view mangled) {
  const auto own_bytes = static_cast<double>(mangled.size());
  double total = own_bytes;
  std::map<std::size_t, double> size_of;   // by number
  std::map<std::size_t, double> referred;  // by number, bytes of all references to it so far
  for (std::string_view rest = mangled.substr(2); !rest.empty();) {
    const char kind = rest.front();
    const auto number = kind == 'S' || kind == 'T' ? take_reference(&rest) : std::nullopt;
    if (!number) {
      rest.remove_prefix(1);
      continue;
    }
    double bytes = total;
    if (kind == 'S') {
      const auto [known, fresh] = size_of.try_emplace(*number, own_bytes);
      if (fresh)
        for (auto lower = referred.begin(); lower != referred.lower_bound(*number); ++lower)
          known->second += lower->second;
      bytes = known->second;
    }
    referred[kind == 'S' ? *number : 0] += bytes;
    total += bytes;
  }
  return total;
}

}  // namespace

std::string demangled(const std::string& mangled) {
  // Of 80,000 names in large C++ libraries nine are above it.
  constexpr double kLongest = 4e6;
  if (mangled.compare(0, 2, "_Z") != 0 || expanded_bytes(mangled) > kLongest) return mangled;
  int status = 0;
  char* name = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
  std::string result = status == 0 && name != nullptr ? without_rust_hash(name) : mangled;
  std::free(name);
  return result;
}

}  // namespace offheap
