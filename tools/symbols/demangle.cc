// SPDX-License-Identifier: Apache-2.0
#include <cxxabi.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

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

}  // namespace

std::string demangled(const std::string& mangled) {
  if (mangled.compare(0, 2, "_Z") != 0) return mangled;
  int status = 0;
  char* name = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
  std::string result = status == 0 && name != nullptr ? without_rust_hash(name) : mangled;
  std::free(name);
  return result;
}

}  // namespace offheap
