// SPDX-License-Identifier: Apache-2.0
#include "libshim/options.h"

#include <string.h>

#include "libshim/process.h"

namespace shim {
namespace {

/// Complaints of one parse, gathered line by line.
struct Complaints {
  char* out;
  size_t out_bytes;

  void add(const char* name, const char* value, const char* wanted) const {
    append(out, out_bytes, name);
    append(out, out_bytes, "=");
    append(out, out_bytes, value);
    append(out, out_bytes, ": not ");
    append(out, out_bytes, wanted);
    append(out, out_bytes, "; ignored\n");
  }
};

/// Digits with an optional K, M or G; -1 when it is anything else or does not fit.
int64_t parse_size(const char* text) {
  if (*text < '0' || *text > '9') return -1;
  uint64_t size = 0;
  for (; *text >= '0' && *text <= '9'; ++text) {
    size = size * 10 + static_cast<uint64_t>(*text - '0');
    if (size > (uint64_t{1} << 52)) return -1;
  }
  int shift = *text == 'K' ? 10 : *text == 'M' ? 20 : *text == 'G' ? 30 : 0;
  if (shift) ++text;
  if (*text || size > (uint64_t{1} << (62 - shift))) return -1;
  return static_cast<int64_t>(size << shift);
}

void parse_into(Lookup lookup, const char* name, int64_t* out, const Complaints& complaints) {
  const char* value = lookup(name);
  if (!value || !*value) return;
  int64_t size = parse_size(value);
  if (size < 0)
    complaints.add(name, value, "a number of bytes (K, M and G may follow)");
  else
    *out = size;
}

void parse_arena_max(Lookup lookup, backends::Choice* choice, const Complaints& complaints) {
  const char* name = "OFFHEAP_GLIBC_ARENA_MAX";
  const char* value = lookup(name);
  if (!value || !*value) return;
  if (strcmp(value, "auto") == 0) {
    choice->arena_max = backends::Choice::kAuto;
    return;
  }
  int64_t arena_max = parse_size(value);
  if (arena_max < 1 || arena_max > 65536)
    complaints.add(name, value, "a number of arenas or 'auto'");
  else
    choice->arena_max = arena_max;
}

void parse_sample(Lookup lookup, Options* options, const Complaints& complaints) {
  const char* name = "OFFHEAP_SAMPLE";
  const char* value = lookup(name);
  if (!value || !*value || strcmp(value, "auto") == 0) return;
  if (strcmp(value, "off") == 0) {
    options->sampling = false;
    return;
  }
  int64_t mean = parse_size(value);
  if (mean < 1 || mean > (int64_t{1} << 40))
    complaints.add(name, value, "a mean in bytes, 'auto' or 'off'");
  else
    options->sample_bytes = static_cast<uint64_t>(mean);
}

/// Percent with up to four decimals, as parts per million; -1 when it is anything else.
int64_t parse_percent_ppm(const char* text) {
  if (*text < '0' || *text > '9') return -1;
  int64_t whole = 0;
  for (; *text >= '0' && *text <= '9' && whole <= 100; ++text) whole = whole * 10 + (*text - '0');
  int64_t fraction = 0;
  int64_t unit = 1000;
  if (*text == '.')
    for (++text; *text >= '0' && *text <= '9'; ++text, unit /= 10) fraction += (*text - '0') * unit;
  return *text || whole > 100 ? -1 : whole * 10'000 + fraction;
}

void parse_budget(Lookup lookup, Options* options, const Complaints& complaints) {
  const char* name = "OFFHEAP_BUDGET";
  const char* value = lookup(name);
  if (!value || !*value) return;
  int64_t ppm = parse_percent_ppm(value);
  if (ppm < 1 || ppm > 1'000'000)
    complaints.add(name, value, "a CPU share in percent, such as 1 or 0.5");
  else
    options->budget_ppm = static_cast<uint32_t>(ppm);
}

const char* text_or_null(const char* value) { return value && *value ? value : nullptr; }

/// Whether [pattern, pattern_end) matches all of `name`. When the rest does not fit, only the last star
/// needs to take one character more: linear in patterns, quadratic at worst in the name.
bool matches(const char* pattern, const char* pattern_end, const char* name) {
  const char* after_star = nullptr;
  const char* star_took_to = nullptr;
  while (*name) {
    if (pattern < pattern_end && *pattern == '*') {
      after_star = ++pattern;
      star_took_to = name;
    } else if (pattern < pattern_end && *pattern == *name) {
      ++pattern;
      ++name;
    } else if (after_star) {
      pattern = after_star;
      name = ++star_took_to;
    } else {
      return false;
    }
  }
  while (pattern < pattern_end && *pattern == '*') ++pattern;
  return pattern == pattern_end;
}

}  // namespace

bool matches_any(const char* patterns, const char* name) {
  for (const char* begin = patterns;;) {
    const char* end = strchr(begin, ',');
    if (!end) end = begin + strlen(begin);
    if (begin < end && matches(begin, end, name)) return true;
    if (!*end) return false;
    begin = end + 1;
  }
}

Options parse_options(Lookup lookup, char* complaint, size_t complaint_bytes) {
  Complaints complaints{complaint, complaint_bytes};
  Options options;
  options.backend.backend = text_or_null(lookup("OFFHEAP_BACKEND"));
  parse_arena_max(lookup, &options.backend, complaints);
  parse_into(lookup, "OFFHEAP_GLIBC_TRIM_THRESHOLD", &options.backend.trim_threshold, complaints);
  parse_into(lookup, "OFFHEAP_GLIBC_MMAP_THRESHOLD", &options.backend.mmap_threshold, complaints);
  parse_into(lookup, "OFFHEAP_GLIBC_TCACHE_COUNT", &options.backend.tcache_count, complaints);
  options.record_directory = text_or_null(lookup("OFFHEAP_RECORD"));
  options.only = text_or_null(lookup("OFFHEAP_ONLY"));
  parse_sample(lookup, &options, complaints);
  parse_budget(lookup, &options, complaints);
  return options;
}

}  // namespace shim
