// SPDX-License-Identifier: Apache-2.0
//
// A text as /proc/PID/smaps, stat and mountinfo. What parses as the first must be an address space:
// ascending, whole pages.
#include <algorithm>

#include "fuzz.h"
#include "ledger/ledger.h"
#include "procfs/mapping.h"
#include "procfs/process.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto times = offheap::parse_stat(text); !times.ok())
    fuzz::require(times.error().where.size() <= 80, "a refusal does not repeat the whole text");
  fuzz::require(offheap::parse_tmpfs_devices(text).size() <= size, "a device has a line");
  const auto parsed = offheap::parse_smaps(text);
  if (!parsed.ok()) {
    fuzz::require(!parsed.error().where.empty(), "a refusal names its line");
    return 0;
  }
  fuzz::require(
      parsed->size() <= static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1,
      "a mapping has a line");
  offheap::Address end = 0;
  for (const offheap::Mapping& mapping : *parsed) {
    fuzz::require(mapping.range.begin >= end && mapping.range.begin < mapping.range.end,
                  "mappings ascend and do not overlap");
    fuzz::require(mapping.range.begin % 4096 == 0 && mapping.range.end % 4096 == 0, "pages are whole");
    fuzz::require(mapping.path.size() < size, "a path is part of the text");
    end = mapping.range.end;
  }
  return 0;
}
