// SPDX-License-Identifier: Apache-2.0
//
// The pure half of store.h: names, bounds, the state's text.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ctime>

#include "render/json.h"
#include "watch/store.h"

namespace offheap {
namespace {

constexpr std::size_t kTimeDigits = 19;
constexpr std::size_t kGroupDigits = 16;
constexpr std::string_view kSnapshotBegin = "snapshot.";
constexpr std::string_view kIncidentBegin = "incident.";
constexpr std::string_view kEnd = ".json";

std::optional<std::uint64_t> whole_number(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return {};
  return value;
}

}  // namespace

std::uint64_t group_key(std::string_view path) {
  std::uint64_t key = 0xcbf29ce484222325;
  for (const char c : path) {
    key ^= static_cast<unsigned char>(c);
    key *= 0x100000001b3;
  }
  return key;
}

std::string StoreEntry::id() const {
  const auto seconds = static_cast<std::time_t>(time_ns / 1'000'000'000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:04}{:02}{:02}-{:02}{:02}{:02}-{:06x}", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, group >> 40);
}

std::string entry_name(EntryKind kind, std::uint64_t time_ns, std::uint64_t group) {
  const auto begin = kind == EntryKind::kSnapshot ? kSnapshotBegin : kIncidentBegin;
  return fmt::format("{}{:019}.{:016x}{}", begin, time_ns, group, kEnd);
}

std::optional<StoreEntry> parse_entry_name(std::string_view name) {
  StoreEntry entry;
  entry.name = name;
  if (name.starts_with(kIncidentBegin)) {
    entry.kind = EntryKind::kIncident;
  } else if (!name.starts_with(kSnapshotBegin)) {
    return {};
  }
  name.remove_prefix(kSnapshotBegin.size());  // both are as long
  if (name.size() != kTimeDigits + 1 + kGroupDigits + kEnd.size() || !name.ends_with(kEnd)) return {};
  const auto time = whole_number(name.substr(0, kTimeDigits), 10);
  const auto group = whole_number(name.substr(kTimeDigits + 1, kGroupDigits), 16);
  if (!time || !group || name[kTimeDigits] != '.') return {};
  entry.time_ns = *time;
  entry.group = *group;
  if (entry.name != entry_name(entry.kind, entry.time_ns, entry.group)) return {};
  return entry;
}

std::size_t count_to_drop(const std::vector<StoreEntry>& entries, Bytes bound_bytes) {
  Bytes total = 0;
  for (const StoreEntry& entry : entries) total += entry.bytes;
  std::size_t count = 0;
  while (count < entries.size() && total > bound_bytes) total -= entries[count++].bytes;
  return count;
}

Result<StoreEntry> find_entry(const std::vector<StoreEntry>& entries, std::string_view id) {
  std::vector<const StoreEntry*> found;
  for (const StoreEntry& entry : entries) {
    if (entry.kind != EntryKind::kIncident) continue;
    if (id == "last") found.clear();
    if (id == "last" || (!id.empty() && entry.id().starts_with(id))) found.push_back(&entry);
  }
  if (found.size() == 1) return *found.front();
  if (found.empty())
    return Error{ErrorCode::kUsage, "there is no such incident", std::string(id),
                 "`offheap incidents` lists them"};
  std::string ids;
  for (const StoreEntry* entry : found) ids += (ids.empty() ? "" : ", ") + entry->id();
  return Error{ErrorCode::kUsage, "several incidents begin like that", std::string(id),
               "say more of its id: " + ids};
}

std::string state_text(const StoreState& state) {
  return json_text(
      {{"boot_id", state.boot_id}, {"handled_us", state.handled_us}, {"dropped", state.dropped}});
}

StoreState parse_state(std::string_view text) {
  StoreState state;
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return state;
  const auto boot = json.find("boot_id");
  if (boot != json.end() && boot->is_string()) state.boot_id = boot->get<std::string>();
  const auto handled = json.find("handled_us");
  if (handled != json.end() && handled->is_number_integer())
    state.handled_us = handled->get<std::int64_t>();
  const auto dropped = json.find("dropped");
  if (dropped != json.end() && dropped->is_number_unsigned())
    state.dropped = dropped->get<std::uint64_t>();
  return state;
}

}  // namespace offheap
