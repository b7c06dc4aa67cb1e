// SPDX-License-Identifier: Apache-2.0
//
// One text as a list of entries: each that is understood is understood again by its name alone, and
// makes an environment of whole variables.
#include <string_view>

#include "ab/entry.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto entries = offheap::ab::parse_entry_list(text);
  if (!entries) return 0;
  fuzz::require(!entries->empty(), "a list has entries");
  for (const auto& entry : *entries) {
    const auto again = offheap::ab::parse_entry(entry.name);
    fuzz::require(again.ok(), "an entry's name is an entry");
    fuzz::require(again->kind == entry.kind && again->backend == entry.backend &&
                      again->variables == entry.variables,
                  "an entry's name means the entry");
    for (const auto& variable : offheap::ab::environment_of(entry, {{"A=1", "B"}, "/shim.so", 2}))
      fuzz::require(variable.find('=') != std::string::npos && variable.front() != '=',
                    "a variable has a name");
  }
  return 0;
}
