// SPDX-License-Identifier: Apache-2.0
#include "procfs/inner_tids.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>

namespace offheap {

std::map<std::uint32_t, std::uint32_t> read_inner_tids(const Process& process,
                                                       std::span<const std::uint32_t> tids) {
  std::map<std::uint32_t, std::uint32_t> inner;
  const auto pids = process.read_namespace_pids();
  if (!pids || pids->size() < 2) return inner;
  for (const std::uint32_t tid : tids) {
    const auto status = process.read(fmt::format("task/{}/status", tid).c_str());
    if (!status) continue;
    const auto line = status->find("\nNSpid:");
    if (line == std::string::npos) continue;
    const auto end = std::min(status->size(), status->find('\n', line + 1));
    const auto last = status->find_last_of("\t ", end - 1);
    std::uint32_t own = 0;
    std::from_chars(status->data() + last + 1, status->data() + end, own);
    if (last > line && own != 0) inner[tid] = own;
  }
  return inner;
}

}  // namespace offheap
