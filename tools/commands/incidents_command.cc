// SPDX-License-Identifier: Apache-2.0
//
// `offheap incidents`: what `offheap watch` kept.
#include "commands/commands.h"
#include "render/text.h"
#include "watch/incident.h"
#include "watch/incident_text.h"
#include "watch/store.h"

namespace offheap {
namespace {

struct IncidentsAsked {
  std::string store = kDefaultStore;
  std::string id;
  bool json = false;
};

Result<Json> read_incident(const Store& store, const StoreEntry& entry) {
  const auto text = store.read(entry.name);
  if (!text) return text.error();
  auto document = parse_document(*text);
  if (document && is_incident(*document)) return document;
  return Error{ErrorCode::kIncompatible, "this is no incident", entry.name,
               "the file is damaged, or of another version: remove it"};
}

Result<int> show_list(const IncidentsAsked& asked, const Store& store) {
  std::vector<Json> rows;
  Json damaged = Json::array();
  for (const StoreEntry& entry : store.list()) {
    if (entry.kind != EntryKind::kIncident) continue;
    const auto incident = read_incident(store, entry);
    if (incident) {
      rows.push_back(incident_row(*incident, entry.id()));
    } else {
      damaged.push_back(entry.name);
    }
  }
  const std::uint64_t dropped = store.read_state().dropped;
  if (asked.json) {
    print(json_text({{"schema", "offheap.incident/1"},
                     {"incidents", rows},
                     {"damaged", damaged},
                     {"dropped", dropped}}));
    return 0;
  }
  std::string text = render_incident_list(rows, dropped, {colours_wanted()});
  for (const Json& name : damaged) text += "damaged: " + name.get<std::string>() + "\n";
  print(text);
  return 0;
}

Result<int> do_incidents(const IncidentsAsked& asked) {
  const auto store = Store::open_for_reading(asked.store);
  if (!store) return store.error();
  if (asked.id.empty()) return show_list(asked, *store);
  const auto entry = find_entry(store->list(), asked.id);
  if (!entry) return entry.error();
  auto incident = read_incident(*store, *entry);
  if (!incident) return incident.error();
  (*incident)["id"] = entry->id();
  print(asked.json ? json_text(*incident)
                   : render_incident(*incident, entry->id(), {colours_wanted()}));
  return 0;
}

}  // namespace

void add_incidents(Commands& commands) {
  static IncidentsAsked asked;
  auto* command = commands.add("incidents", "What `offheap watch` kept: a list, or one in full",
                               kRightsToLook, [] { return do_incidents(asked); });
  command->add_option("id", asked.id, "an incident's id, the beginning of one, or last");
  command->add_option("--store", asked.store, "the directory of `offheap watch`")
      ->capture_default_str();
  command->add_flag("--json", asked.json, "schema offheap.incident/1");
}

}  // namespace offheap
