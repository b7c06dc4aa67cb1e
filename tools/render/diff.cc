// SPDX-License-Identifier: Apache-2.0
#include "render/diff.h"

#include <algorithm>
#include <functional>
#include <map>

#include "base/format.h"
#include "render/page.h"
#include "render/sanitise.h"

namespace offheap {
namespace {

std::int64_t number(const Json& object, const std::string& key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return 0;
  return found->get<std::int64_t>();
}

const Json& array_of(const Json& object, const std::string& key) {
  static const Json empty = Json::array();
  const auto found = object.find(key);
  return found == object.end() || !found->is_array() ? empty : *found;
}

std::string site_key(const Json& site) {
  std::string key;
  for (const Json& frame : array_of(site, "frames")) {
    key += frame.at("function").get<std::string>() + '\x1f' + frame.value("module", "") + '\x1e';
  }
  return key;
}

/// Rows joined by key; `describe` adds what names a row, `measure` is what is compared.
struct Join {
  std::function<std::string(const Json&)> key;
  std::function<Json(const Json&)> describe;
  std::string measure;
  bool keep_equal = false;
};

Json join(const Json& before, const Json& after, const Join& rule) {
  struct Pair {
    Json row;
    std::int64_t before = 0;
    std::int64_t after = 0;
  };
  std::map<std::string, Pair> pairs;
  for (const Json& row : before) {
    Pair& pair = pairs[rule.key(row)];
    pair.row = rule.describe(row);
    pair.before += number(row, rule.measure);
  }
  for (const Json& row : after) {
    Pair& pair = pairs[rule.key(row)];
    pair.row = rule.describe(row);
    pair.after += number(row, rule.measure);
  }
  Json rows = Json::array();
  for (auto& [key, pair] : pairs) {
    if (pair.before == pair.after && !rule.keep_equal) continue;
    pair.row["before_bytes"] = pair.before;
    pair.row["after_bytes"] = pair.after;
    pair.row["growth_bytes"] = pair.after - pair.before;
    rows.push_back(std::move(pair.row));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Json& a, const Json& b) {
    return std::abs(number(a, "growth_bytes")) > std::abs(number(b, "growth_bytes"));
  });
  return rows;
}

Json select(const Json& row, std::initializer_list<const char*> keys) {
  Json picked;
  for (const char* key : keys) {
    if (row.contains(key)) picked[key] = row[key];
  }
  return picked;
}

Json malloc_diff(const Json& before, const Json& after) {
  Json parts = Json::array();
  for (const char* part : {"live_bytes", "cached_bytes", "trimmable_bytes", "pinned_bytes", "top_bytes",
                           "metadata_bytes", "rss_bytes"}) {
    const std::int64_t old_bytes = before.is_object() ? number(before, part) : 0;
    const std::int64_t new_bytes = after.is_object() ? number(after, part) : 0;
    parts.push_back({{"part", part},
                     {"before_bytes", old_bytes},
                     {"after_bytes", new_bytes},
                     {"growth_bytes", new_bytes - old_bytes}});
  }
  return parts;
}

Json compare(const Json& before, const Json& after) {
  Json diff{{"schema", "offheap.diff/1"}};
  diff["before"] = select(before, {"target", "rss_bytes"});
  diff["after"] = select(after, {"target", "rss_bytes"});
  diff["rss_growth_bytes"] = number(after, "rss_bytes") - number(before, "rss_bytes");
  diff["ledger"] = join(array_of(before, "ledger"), array_of(after, "ledger"),
                        {[](const Json& row) { return row.at("owner").get<std::string>(); },
                         [](const Json& row) { return select(row, {"owner"}); }, "rss_bytes", true});
  const Json& old_malloc = before.contains("malloc") ? before["malloc"] : Json();
  const Json& new_malloc = after.contains("malloc") ? after["malloc"] : Json();
  diff["malloc"] = malloc_diff(old_malloc, new_malloc);
  auto arenas = [](const Json& malloc) {
    return malloc.is_object() ? array_of(malloc, "arenas") : Json::array();
  };
  diff["arenas"] = join(arenas(old_malloc), arenas(new_malloc),
                        {[](const Json& row) { return std::to_string(number(row, "address")); },
                         [](const Json& row) {
                           return select(row, {"index", "threads"});
                         },
                         "rss_bytes"});
  diff["sites"] = join(array_of(before, "sites"), array_of(after, "sites"),
                       {site_key,
                        [](const Json& row) {
                          return select(row, {"kind", "frames"});
                        },
                        "live_bytes"});
  diff["threads"] = join(array_of(before, "threads"), array_of(after, "threads"),
                         {[](const Json& row) { return std::to_string(number(row, "tid")); },
                          [](const Json& row) {
                            return select(row, {"tid", "name"});
                          },
                          "allocated_bytes"});
  return diff;
}

std::string signed_bytes(std::int64_t bytes) {
  return fmt::format("{}{}", bytes < 0 ? '-' : '+', format_bytes(static_cast<Bytes>(std::abs(bytes))));
}

void add_rows(const Json& rows, std::size_t limit, const std::function<std::string(const Json&)>& name,
              Page& page) {
  std::size_t shown = 0;
  for (const Json& row : rows) {
    if (shown++ == limit) {
      page.line(fmt::format("  and {} more", rows.size() - limit));
      return;
    }
    page.line(fmt::format("  {:<30}{:>13} -> {:>11}{:>14}", sanitise(name(row), 30),
                          format_bytes(static_cast<Bytes>(number(row, "before_bytes"))),
                          format_bytes(static_cast<Bytes>(number(row, "after_bytes"))),
                          signed_bytes(number(row, "growth_bytes"))));
  }
}

void add_site_rows(const Json& sites, Page& page) {
  constexpr std::size_t kSites = 10;
  constexpr std::size_t kFrames = 8;
  for (std::size_t i = 0; i < std::min(kSites, sites.size()); ++i) {
    const Json& site = sites[i];
    page.line(fmt::format("  {} live: {} -> {}", page.bold(signed_bytes(number(site, "growth_bytes"))),
                          format_bytes(static_cast<Bytes>(number(site, "before_bytes"))),
                          format_bytes(static_cast<Bytes>(number(site, "after_bytes")))));
    std::size_t frames = 0;
    for (const Json& frame : array_of(site, "frames")) {
      if (frames++ == kFrames) break;
      page.line(fmt::format("       {}  {}", sanitise(frame.at("function").get<std::string>(), 60),
                            page.dim(sanitise(frame.value("module", ""), 30))));
    }
  }
}

}  // namespace

Result<Json> diff_json(const Json& before, const Json& after) {
  for (const Json* document : {&before, &after}) {
    if (!document->is_object() || !document->contains("schema") ||
        (*document)["schema"] != "offheap.explain/1") {
      return Error{ErrorCode::kIncompatible, "not an explanation", "schema \"offheap.explain/1\"",
                   "make one with `offheap snapshot PID -o FILE`"};
    }
  }
  try {
    return compare(before, after);
  } catch (const Json::exception& problem) {
    return Error{ErrorCode::kIncompatible, "a key has an unexpected type", problem.what(), ""};
  }
}

std::string render_diff_text(const Json& diff, const TextOptions& options) {
  Page page(options.colour, kTextColumns);
  page.line(page.bold(fmt::format("RSS {}", signed_bytes(number(diff, "rss_growth_bytes")))));
  page.heading("OWNERS");
  add_rows(
      diff["ledger"], kOwnerCount, [](const Json& row) { return row.at("owner").get<std::string>(); },
      page);
  page.heading("MALLOC, resident");
  add_rows(
      diff["malloc"], 8, [](const Json& row) { return row.at("part").get<std::string>(); }, page);
  if (!diff["arenas"].empty()) {
    page.heading("ARENAS, resident");
    add_rows(
        diff["arenas"], 16,
        [](const Json& row) { return fmt::format("arena {}", number(row, "index")); }, page);
  }
  if (!diff["sites"].empty()) {
    page.heading("SITES");
    add_site_rows(diff["sites"], page);
  }
  if (!diff["threads"].empty()) {
    page.heading("THREADS, allocated");
    add_rows(
        diff["threads"], 10,
        [](const Json& row) { return fmt::format("{} {}", number(row, "tid"), row.value("name", "")); },
        page);
  }
  return page.take();
}

}  // namespace offheap
