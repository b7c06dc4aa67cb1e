// SPDX-License-Identifier: Apache-2.0
#include "ab/entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>

namespace offheap::ab {
namespace {

enum class ValueKind { kNumber, kBytes, kArenas, kText };

/// A tuning of one allocator: `shim_variable` is what the shim reads; without it, or without the shim,
/// `variable` holds it, under `key` where the variable is a list.
struct Tuning {
  std::string_view allocator;
  std::string_view name;
  ValueKind kind;
  std::string_view shim_variable;
  std::string_view variable;
  std::string_view key;
};

constexpr std::string_view kTunables = "GLIBC_TUNABLES";
constexpr std::string_view kMallocConf = "MALLOC_CONF";

// Sources: glibc manual "Memory Allocation Tunables"; jemalloc(3) "TUNING"; gperftools docs/tcmalloc.
constexpr std::array<Tuning, 32> kTunings = {{
    {"glibc", "arena_max", ValueKind::kArenas, "OFFHEAP_GLIBC_ARENA_MAX", kTunables,
     "glibc.malloc.arena_max"},
    {"glibc", "trim_threshold", ValueKind::kBytes, "OFFHEAP_GLIBC_TRIM_THRESHOLD", kTunables,
     "glibc.malloc.trim_threshold"},
    {"glibc", "mmap_threshold", ValueKind::kBytes, "OFFHEAP_GLIBC_MMAP_THRESHOLD", kTunables,
     "glibc.malloc.mmap_threshold"},
    {"glibc", "tcache_count", ValueKind::kNumber, "", kTunables, "glibc.malloc.tcache_count"},
    {"glibc", "tcache_max", ValueKind::kBytes, "", kTunables, "glibc.malloc.tcache_max"},
    {"glibc", "hugetlb", ValueKind::kBytes, "", kTunables, "glibc.malloc.hugetlb"},
    {"jemalloc", "narenas", ValueKind::kText, "", kMallocConf, "narenas"},
    {"jemalloc", "dirty_decay_ms", ValueKind::kText, "", kMallocConf, "dirty_decay_ms"},
    {"jemalloc", "muzzy_decay_ms", ValueKind::kText, "", kMallocConf, "muzzy_decay_ms"},
    {"jemalloc", "background_thread", ValueKind::kText, "", kMallocConf, "background_thread"},
    {"jemalloc", "max_background_threads", ValueKind::kText, "", kMallocConf, "max_background_threads"},
    {"jemalloc", "percpu_arena", ValueKind::kText, "", kMallocConf, "percpu_arena"},
    {"jemalloc", "tcache", ValueKind::kText, "", kMallocConf, "tcache"},
    {"jemalloc", "tcache_max", ValueKind::kText, "", kMallocConf, "tcache_max"},
    {"jemalloc", "lg_tcache_max", ValueKind::kText, "", kMallocConf, "lg_tcache_max"},
    {"jemalloc", "oversize_threshold", ValueKind::kText, "", kMallocConf, "oversize_threshold"},
    {"jemalloc", "retain", ValueKind::kText, "", kMallocConf, "retain"},
    {"jemalloc", "dss", ValueKind::kText, "", kMallocConf, "dss"},
    {"jemalloc", "thp", ValueKind::kText, "", kMallocConf, "thp"},
    {"jemalloc", "metadata_thp", ValueKind::kText, "", kMallocConf, "metadata_thp"},
    {"jemalloc", "zero_realloc", ValueKind::kText, "", kMallocConf, "zero_realloc"},
    {"jemalloc", "prof", ValueKind::kText, "", kMallocConf, "prof"},
    {"jemalloc", "lg_prof_sample", ValueKind::kText, "", kMallocConf, "lg_prof_sample"},
    {"tcmalloc", "release_rate", ValueKind::kText, "", "TCMALLOC_RELEASE_RATE", ""},
    {"tcmalloc", "max_total_thread_cache_bytes", ValueKind::kBytes, "",
     "TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES", ""},
    {"tcmalloc", "aggressive_decommit", ValueKind::kText, "", "TCMALLOC_AGGRESSIVE_DECOMMIT", ""},
    {"tcmalloc", "heap_limit_mb", ValueKind::kNumber, "", "TCMALLOC_HEAP_LIMIT_MB", ""},
    {"tcmalloc", "transfer_num_obj", ValueKind::kNumber, "", "TCMALLOC_TRANSFER_NUM_OBJ", ""},
    {"tcmalloc", "skip_mmap", ValueKind::kText, "", "TCMALLOC_SKIP_MMAP", ""},
    {"tcmalloc", "skip_sbrk", ValueKind::kText, "", "TCMALLOC_SKIP_SBRK", ""},
    {"tcmalloc", "disable_memory_release", ValueKind::kText, "", "TCMALLOC_DISABLE_MEMORY_RELEASE", ""},
    {"tcmalloc", "large_alloc_report_threshold", ValueKind::kBytes, "",
     "TCMALLOC_LARGE_ALLOC_REPORT_THRESHOLD", ""},
}};

struct BareLibrary {
  std::string_view name;
  std::string_view file;
};
constexpr std::array<BareLibrary, 3> kBareLibraries = {{{"jemalloc", "libjemalloc.so.2"},
                                                        {"tcmalloc", "libtcmalloc_minimal.so.4"},
                                                        {"mimalloc", "libmimalloc.so.2"}}};

Error usage(std::string what, std::string_view where, std::string remedy) {
  return {ErrorCode::kUsage, std::move(what), std::string(where), std::move(remedy)};
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// Whose tunings an entry takes: "glibc", "jemalloc", "tcmalloc", or none.
std::string_view allocator_of(const Entry& entry) {
  if (entry.kind == EntryKind::kNone) return "glibc";
  const std::string file = lower(std::string_view(entry.backend).substr(entry.backend.rfind('/') + 1));
  for (const std::string_view name : {"glibc", "jemalloc", "tcmalloc"})
    if (file.find(name) != std::string::npos) return name;
  return {};
}

std::string tunings_of(std::string_view allocator) {
  std::string names;
  for (const Tuning& tuning : kTunings)
    if (tuning.allocator == allocator) names += (names.empty() ? "" : ", ") + std::string(tuning.name);
  return names;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc{}) return {};
  const std::string_view unit(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
  const int shift = unit.empty() ? 0 : unit == "K" ? 10 : unit == "M" ? 20 : unit == "G" ? 30 : -1;
  if (shift < 0 || value > (std::uint64_t{1} << (62 - shift))) return {};
  return value << shift;
}

/// The value as the allocator reads it, or nothing when it is none.
std::optional<std::string> value_for(const Tuning& tuning, std::string_view text) {
  const bool digits = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isdigit(static_cast<unsigned char>(c)) != 0;
  });
  switch (tuning.kind) {
    case ValueKind::kNumber:
      return digits ? std::optional(std::string(text)) : std::nullopt;
    case ValueKind::kArenas:
      return text == "auto" || (digits && text != "0") ? std::optional(std::string(text))
                                                       : std::nullopt;
    case ValueKind::kBytes:
      if (const auto bytes = parse_size(text)) return std::to_string(*bytes);
      return {};
    case ValueKind::kText:
      break;
  }
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
  });
  return plain ? std::optional(std::string(text)) : std::nullopt;
}

std::string_view wanted(ValueKind kind) {
  switch (kind) {
    case ValueKind::kNumber:
      return "a number";
    case ValueKind::kBytes:
      return "a number of bytes (K, M and G may follow)";
    case ValueKind::kArenas:
      return "a number of arenas, or auto";
    case ValueKind::kText:
      break;
  }
  return "a word or a number, as the allocator's manual has it";
}

std::optional<Error> add_tuning(std::string_view text, Entry& entry) {
  const auto equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view() : text.substr(equals + 1);
  const std::string_view allocator = allocator_of(entry);
  if (allocator.empty())
    return usage("this entry takes no tuning", entry.name,
                 "whose options it would read is not known: set them in the environment");
  const auto found = std::find_if(kTunings.begin(), kTunings.end(), [&](const Tuning& tuning) {
    return tuning.allocator == allocator && tuning.name == name;
  });
  if (found == kTunings.end())
    return usage(fmt::format("{} has no tuning `{}`", allocator, name), entry.name,
                 fmt::format("known are {}", tunings_of(allocator)));
  const auto checked = value_for(*found, value);
  if (!checked)
    return usage(fmt::format("not a value of {}: `{}`", name, value), entry.name,
                 fmt::format("write {}={}", name, wanted(found->kind)));
  if (entry.kind == EntryKind::kShim && !found->shim_variable.empty())
    entry.variables.emplace_back(found->shim_variable, *checked);
  else if (found->variable == kTunables)
    entry.variables.emplace_back(found->variable, fmt::format("{}={}", found->key, *checked));
  else if (found->variable == kMallocConf)
    entry.variables.emplace_back(found->variable, fmt::format("{}:{}", found->key, *checked));
  else
    entry.variables.emplace_back(found->variable, *checked);
  return {};
}

bool is_bare_name(std::string_view name) {
  return name == "glibc" || std::any_of(kBareLibraries.begin(), kBareLibraries.end(),
                                        [&](const BareLibrary& known) { return known.name == name; });
}

std::optional<Error> set_backend(std::string_view backend, Entry& entry) {
  entry.backend = backend;
  const bool path = backend.find('/') != std::string_view::npos;
  if (entry.kind == EntryKind::kBare) {
    if (path || is_bare_name(backend)) return {};
    return usage("no allocator to preload bare", backend,
                 "known are glibc, jemalloc, tcmalloc, mimalloc, and the path of a library");
  }
  constexpr std::array<std::string_view, 4> kBackends = {"next", "glibc", "tcmalloc", "jemalloc"};
  if (path || std::find(kBackends.begin(), kBackends.end(), backend) != kBackends.end()) return {};
  return usage("not an entry", backend.empty() ? entry.name : backend,
               "known are glibc, tcmalloc, jemalloc, next, the path of a library, bare:NAME and none");
}

/// "name=value" without a colon or slash in the name: never an entry of its own.
bool is_tuning(std::string_view word) {
  const auto equals = word.find('=');
  return equals != std::string_view::npos && equals != 0 &&
         word.substr(0, equals).find_first_of(":/") == std::string_view::npos;
}

std::string without_shim(std::string_view preload) {
  std::string kept;
  while (!preload.empty()) {
    const auto end = preload.find_first_of(": ");
    const std::string_view item = preload.substr(0, end);
    if (!item.empty() && item.substr(item.rfind('/') + 1) != "libshim.so")
      kept += (kept.empty() ? "" : ":") + std::string(item);
    preload.remove_prefix(end == std::string_view::npos ? preload.size() : end + 1);
  }
  return kept;
}

/// What separates the items of a variable that is a list; 0 for one that is replaced.
char separator_of(std::string_view variable) {
  if (variable == kTunables) return ':';
  return variable == kMallocConf ? ',' : '\0';
}

std::string with_cpus(std::string value, unsigned cpus) {
  constexpr std::string_view kAuto = "glibc.malloc.arena_max=auto";
  if (value == kAuto) value = fmt::format("glibc.malloc.arena_max={}", cpus);
  return value;
}

}  // namespace

std::vector<std::string> Entry::files() const {
  if (!library.empty()) return {library};
  if (kind == EntryKind::kShim && backend.find('/') != std::string::npos) return {backend};
  return {};
}

Result<Entry> parse_entry(std::string_view text) {
  Entry entry;
  entry.name = text;
  std::string_view rest = text;
  constexpr std::string_view kBare = "bare:";
  if (rest.starts_with(kBare)) {
    entry.kind = EntryKind::kBare;
    rest.remove_prefix(kBare.size());
  }
  const auto colon = rest.find(':');
  const std::string_view backend = rest.substr(0, colon);
  if (backend == "none" && entry.kind != EntryKind::kBare) {
    entry.kind = EntryKind::kNone;
  } else if (const auto problem = set_backend(backend, entry)) {
    return *problem;
  }
  if (colon == std::string_view::npos) return entry;
  for (rest.remove_prefix(colon + 1);;) {
    const auto comma = rest.find(',');
    if (const auto problem = add_tuning(rest.substr(0, comma), entry)) return *problem;
    if (comma == std::string_view::npos) return entry;
    rest.remove_prefix(comma + 1);
  }
}

Result<std::vector<Entry>> parse_entry_list(std::string_view text) {
  std::vector<std::string> words;
  char before = ' ';
  while (!text.empty()) {
    const auto end = text.find_first_of(",; \t\n");
    const std::string_view word = text.substr(0, end);
    if (before == ',' && is_tuning(word) && !words.empty())
      words.back() += fmt::format(",{}", word);
    else if (!word.empty())
      words.emplace_back(word);
    if (end == std::string_view::npos) break;
    before = text[end];
    text.remove_prefix(end + 1);
  }
  if (words.empty())
    return usage("no entry to run", "", "name some: --backends glibc,jemalloc,tcmalloc");
  std::vector<Entry> entries;
  for (const std::string& word : words) {
    auto entry = parse_entry(word);
    if (!entry) return entry.error();
    entries.push_back(std::move(*entry));
  }
  return entries;
}

Result<bool> check_distinct(const std::vector<Entry>& entries) {
  for (std::size_t i = 0; i < entries.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (entries[i].name == entries[j].name)
        return usage("the same entry twice", entries[i].name, "name each entry once; --runs repeats");
  return true;
}

Result<Entry> resolve_entry(Entry entry) {
  std::error_code problem;
  if (entry.backend.find('/') != std::string::npos) {
    if (!std::filesystem::is_regular_file(entry.backend, problem))
      return usage("the library of an entry is not there", entry.backend, "name a file that exists");
    entry.backend = std::filesystem::absolute(entry.backend).string();
    if (entry.kind == EntryKind::kBare) entry.library = entry.backend;
    return entry;
  }
  if (entry.kind != EntryKind::kBare || entry.backend == "glibc") return entry;
  const auto known =
      std::find_if(kBareLibraries.begin(), kBareLibraries.end(),
                   [&](const BareLibrary& library) { return library.name == entry.backend; });
  std::string tried;
  for (const char* directory :
       {"/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"}) {
    const auto path = std::filesystem::path(directory) / known->file;
    if (std::filesystem::is_regular_file(path, problem)) {
      entry.library = path.string();
      return entry;
    }
    tried += (tried.empty() ? "" : ", ") + path.string();
  }
  return usage(fmt::format("no {} on this machine", known->file), tried,
               fmt::format("install it, or name its path: bare:/path/to/{}", known->file));
}

std::vector<std::string> environment_of(const Entry& entry, const EntrySurroundings& surroundings) {
  std::map<std::string, std::string> variables;
  for (const std::string& variable : surroundings.inherited) {
    const auto equals = variable.find('=');
    if (equals == std::string::npos) continue;
    const std::string name = variable.substr(0, equals);
    if (name == "OFFHEAP_BACKEND" || name.starts_with("OFFHEAP_GLIBC_")) continue;
    variables[name] = variable.substr(equals + 1);
  }
  std::string preload = without_shim(variables["LD_PRELOAD"]);
  const std::string& first = entry.kind == EntryKind::kShim ? surroundings.shim : entry.library;
  if (!first.empty()) preload = first + (preload.empty() ? "" : ":") + preload;
  variables["LD_PRELOAD"] = preload;
  if (preload.empty()) variables.erase("LD_PRELOAD");
  if (entry.kind == EntryKind::kShim) variables["OFFHEAP_BACKEND"] = entry.backend;
  for (const auto& [name, value] : entry.variables) {
    std::string& variable = variables[name];
    const char separator = separator_of(name);
    if (separator == '\0' || variable.empty())
      variable = with_cpus(value, surroundings.cpus);
    else
      variable += separator + with_cpus(value, surroundings.cpus);
  }
  std::vector<std::string> environment;
  environment.reserve(variables.size());
  for (const auto& [name, value] : variables) environment.push_back(fmt::format("{}={}", name, value));
  return environment;
}

std::string known_tunings() {
  std::string text;
  for (const std::string_view allocator : {"glibc", "jemalloc", "tcmalloc"})
    text += fmt::format("{}{}: {}", text.empty() ? "" : "\n", allocator, tunings_of(allocator));
  return text;
}

}  // namespace offheap::ab
