// SPDX-License-Identifier: Apache-2.0
//
// Durations, sizes and pids of the command line.
#include <charconv>
#include <cmath>

#include "commands/explain.h"

namespace offheap {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

/// A number and one of `units`, whole; nothing for anything else.
template <std::size_t N>
std::optional<std::uint64_t> parse_with_unit(std::string_view text, const Unit (&units)[N]) {
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{} || !std::isfinite(value) || value < 0) return {};
  const std::string_view rest(parsed.ptr,
                              static_cast<std::size_t>(text.data() + text.size() - parsed.ptr));
  for (const Unit& unit : units) {
    if (rest != unit.name) continue;
    const double scaled = value * unit.factor;
    constexpr double kLargest = 9e18;
    if (scaled > kLargest) return {};
    return static_cast<std::uint64_t>(scaled);
  }
  return {};
}

}  // namespace

std::optional<std::uint64_t> parse_duration_ns(std::string_view text) {
  constexpr Unit units[] = {{"", 1e9},   {"s", 1e9},    {"ms", 1e6},
                            {"m", 60e9}, {"min", 60e9}, {"h", 3600e9}};
  return parse_with_unit(text, units);
}

std::optional<Bytes> parse_bytes(std::string_view text) {
  constexpr double kKi = 1024;
  constexpr Unit units[] = {{"", 1},
                            {"K", kKi},
                            {"KiB", kKi},
                            {"M", kKi * kKi},
                            {"MiB", kKi * kKi},
                            {"G", kKi * kKi * kKi},
                            {"GiB", kKi * kKi * kKi}};
  return parse_with_unit(text, units);
}

std::optional<int> parse_pid(std::string_view text) {
  int pid = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || pid <= 0) return {};
  return pid;
}

}  // namespace offheap
