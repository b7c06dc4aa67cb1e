// SPDX-License-Identifier: Apache-2.0
//
// One text as everything that a store may hold: a name, a state, an incident that is listed, shown in
// full and made part of a loop.
#include "fuzz.h"
#include "watch/incident.h"
#include "watch/incident_text.h"
#include "watch/store.h"
#include "watch/threshold.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto entry = offheap::parse_entry_name(text))
    fuzz::require(offheap::entry_name(entry->kind, entry->time_ns, entry->group) == text,
                  "a name comes back as it was");
  if (const auto levels = offheap::parse_levels(text))
    fuzz::require(!levels->empty() && levels->front() >= 1 && levels->back() <= 99,
                  "levels are percents");
  (void)offheap::parse_state(text);
  const auto document = offheap::parse_document(text);
  if (!document || !offheap::is_incident(*document)) return 0;
  const auto row = offheap::incident_row(*document, "id");
  (void)offheap::render_incident_list({row}, 1, {});
  const std::string shown = offheap::render_incident(*document, "id", {});
  for (const char c : shown)
    fuzz::require(c == '\n' || static_cast<unsigned char>(c) >= 0x20,
                  "no control character is printed");
  const auto merged = offheap::add_kill(*document, *document);
  fuzz::require(offheap::is_incident(merged), "a loop is an incident");
  (void)offheap::is_same_loop(merged, 1);
  return 0;
}
