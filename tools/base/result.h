// SPDX-License-Identifier: Apache-2.0
//
// Result<T>: a value, or an Error that says what failed, where, and what to do. The pure layers return
// it; only tools/main.cc prints an Error and turns its code into an exit code.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace offheap {

/// Exit codes of the program; the README documents them.
enum class ErrorCode : int {
  kUsage = 2,         ///< the command line, a recording's name, an unknown backend
  kUnreadable = 3,    ///< the target cannot be read; `remedy` names the missing right
  kIncompatible = 4,  ///< a recording of another version, or one that is no recording
  kInternal = 5,
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string what;    ///< what failed: "cannot read the memory map"
  std::string where;   ///< a path, pid or address: "/proc/123/smaps"
  std::string remedy;  ///< what to do; may be empty
};

/// A T or an Error. `value()` on an error is a programming mistake and aborts.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  [[nodiscard]] T& value() & { return *std::get_if<0>(&state_); }
  [[nodiscard]] const T& value() const& { return *std::get_if<0>(&state_); }
  [[nodiscard]] T&& value() && { return std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  [[nodiscard]] const Error& error() const { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, Error> state_;
};

}  // namespace offheap
