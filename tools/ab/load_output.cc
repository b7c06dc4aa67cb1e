// SPDX-License-Identifier: Apache-2.0
#include "ab/load_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <vector>

namespace offheap::ab {
namespace {

using Values = std::map<std::string, double>;

constexpr const char* kThroughput = "throughput_per_second";
constexpr double kMs = 1e-3;

struct NamedKey {
  std::string_view name;
  std::string_view key;
};
constexpr std::array<NamedKey, 5> kNames = {{{"throughput", "throughput_per_second"},
                                             {"latency_mean", "latency_mean_seconds"},
                                             {"latency_p50", "latency_p50_seconds"},
                                             {"latency_p95", "latency_p95_seconds"},
                                             {"latency_p99", "latency_p99_seconds"}}};

/// The lines of a text; progress that overwrites itself ends in a carriage return.
template <typename Take>
void for_each_line(std::string_view text, Take take) {
  while (!text.empty()) {
    const auto end = text.find_first_of("\r\n");
    take(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::vector<std::string_view> words_of(std::string_view line, std::string_view separators) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const auto end = line.find_first_of(separators);
    if (end != 0) words.push_back(line.substr(0, end));
    line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
  }
  return words;
}

/// A finite number that is not negative, and what follows it.
std::optional<double> leading_number(std::string_view& text) {
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{} || !std::isfinite(value) || std::signbit(value)) return {};
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
  return value;
}

std::optional<double> plain_number(std::string_view text) {
  text = trimmed(text);
  const auto value = leading_number(text);
  return value && text.empty() ? value : std::nullopt;
}

/// "52.15ms", "1.2k", "3 s": in seconds or in units.
std::optional<double> number_with_unit(std::string_view text) {
  text = trimmed(text);
  const auto value = leading_number(text);
  if (!value) return {};
  constexpr std::array<std::pair<std::string_view, double>, 11> kUnits = {{{"", 1},
                                                                           {"us", 1e-6},
                                                                           {"ms", kMs},
                                                                           {"msec", kMs},
                                                                           {"s", 1},
                                                                           {"m", 60},
                                                                           {"h", 3600},
                                                                           {"k", 1e3},
                                                                           {"K", 1e3},
                                                                           {"M", 1e6},
                                                                           {"G", 1e9}}};
  for (const auto& [unit, factor] : kUnits)
    if (trimmed(text) == unit) return *value * factor;
  return {};
}

void set(Values& values, const char* key, std::optional<double> value) {
  if (value && std::isfinite(*value)) values[key] = *value;
}

Values parse_wrk(std::string_view text) {
  Values values;
  bool distribution = false;
  for_each_line(text, [&](std::string_view line) {
    const auto words = words_of(line, " \t");
    if (words.size() < 2) return;
    if (words[0] == "Latency" && words[1] == "Distribution")
      distribution = true;
    else if (words[0] == "Latency" && !values.contains("latency_mean_seconds"))
      set(values, "latency_mean_seconds", number_with_unit(words[1]));
    else if (words[0] == "Requests/sec:")
      set(values, kThroughput, plain_number(words[1]));
    else if (distribution && (words[0] == "50%" || words[0] == "50.000%"))
      set(values, "latency_p50_seconds", number_with_unit(words[1]));
    else if (distribution && (words[0] == "99%" || words[0] == "99.000%"))
      set(values, "latency_p99_seconds", number_with_unit(words[1]));
  });
  return values;
}

/// What one test of redis-benchmark came to; latencies in seconds.
struct RedisTest {
  double rate = 0;
  std::optional<double> mean, p50, p95, p99;
};

std::optional<double> in_ms(std::string_view text) {
  const auto value = plain_number(text);
  return value ? std::optional(*value * kMs) : std::nullopt;
}

/// "SET","10775.86",mean,min,p50,p95,p99,max in ms.
void take_csv_line(std::string_view line, std::vector<RedisTest>& tests) {
  const auto fields = words_of(line, ",\"");
  if (fields.size() != 8) return;
  const auto rate = plain_number(fields[1]);
  if (!rate || *rate <= 0) return;
  tests.push_back({*rate, in_ms(fields[2]), in_ms(fields[4]), in_ms(fields[5]), in_ms(fields[6])});
}

/// "SET: 6944.44 requests per second, p50=1.463 msec"
void take_quiet_line(std::string_view line, std::vector<RedisTest>& tests) {
  const auto words = words_of(line, " ");
  constexpr std::string_view kP50 = "p50=";
  for (std::size_t i = 0; i + 4 < words.size(); ++i) {
    if (words[i + 1] != "requests" || words[i + 3] != "second," || !words[i + 4].starts_with(kP50))
      continue;
    const auto rate = plain_number(words[i]);
    if (rate && *rate > 0)
      tests.push_back({*rate, {}, in_ms(words[i + 4].substr(kP50.size())), {}, {}});
  }
}

class RedisReader {
 public:
  void take(std::string_view line) {
    const auto words = words_of(line, " \t");
    if (line.starts_with('"')) {
      take_csv_line(line, tests_);
    } else if (words.size() > 2 && words[0] == "throughput" && words[1] == "summary:") {
      const auto rate = plain_number(words[2]);
      if (rate && *rate > 0) tests_.push_back({*rate, {}, {}, {}, {}});
    } else if (words.size() == 6 && words[0] == "avg" && words[5] == "max") {
      summary_follows_ = true;
    } else if (summary_follows_ && words.size() == 6) {
      summary_follows_ = false;
      if (!tests_.empty()) take_summary(words, tests_.back());
    } else {
      take_quiet_line(line, tests_);
    }
  }

  [[nodiscard]] Values values() const {
    Values values;
    double seconds = 0;
    for (const RedisTest& test : tests_) seconds += 1 / test.rate;
    if (seconds > 0) set(values, kThroughput, static_cast<double>(tests_.size()) / seconds);
    double mean_sum = 0;
    const bool means = std::all_of(tests_.begin(), tests_.end(), [&](const RedisTest& test) {
      mean_sum += test.mean.value_or(0);
      return test.mean.has_value();
    });
    if (means && !tests_.empty())
      set(values, "latency_mean_seconds", mean_sum / static_cast<double>(tests_.size()));
    set_worst(values, "latency_p50_seconds", &RedisTest::p50);
    set_worst(values, "latency_p95_seconds", &RedisTest::p95);
    set_worst(values, "latency_p99_seconds", &RedisTest::p99);
    return values;
  }

 private:
  /// avg min p50 p95 p99 max
  static void take_summary(const std::vector<std::string_view>& words, RedisTest& test) {
    test.mean = in_ms(words[0]);
    test.p50 = in_ms(words[2]);
    test.p95 = in_ms(words[3]);
    test.p99 = in_ms(words[4]);
  }

  void set_worst(Values& values, const char* key, std::optional<double> RedisTest::*field) const {
    std::optional<double> worst;
    for (const RedisTest& test : tests_)
      if (test.*field && (!worst || *(test.*field) > *worst)) worst = test.*field;
    set(values, key, worst);
  }

  std::vector<RedisTest> tests_;
  bool summary_follows_ = false;
};

Values parse_redis_benchmark(std::string_view text) {
  RedisReader reader;
  for_each_line(text, [&](std::string_view line) { reader.take(line); });
  return reader.values();
}

Values parse_pgbench(std::string_view text) {
  Values values;
  for_each_line(text, [&](std::string_view line) {
    const auto words = words_of(line, " \t");
    if (words.size() < 3) return;
    if (words[0] == "tps" && words[1] == "=")
      set(values, kThroughput, plain_number(words[2]));
    else if (words.size() >= 5 && words[0] == "latency" && words[1] == "average" && words[2] == "=")
      set(values, "latency_mean_seconds", in_ms(words[3]));
  });
  return values;
}

Values parse_by_pattern(const LoadParser& parser, std::string_view text) {
  // The library's matcher recurses for each character, and no figure stands that far out.
  constexpr std::size_t kLongestLine = 1000;
  Values values;
  for_each_line(text, [&](std::string_view line) {
    line = line.substr(0, kLongestLine);
    std::match_results<std::string_view::const_iterator> match;
    if (!std::regex_search(line.begin(), line.end(), match, parser.pattern) || match.size() < 2) return;
    set(values, parser.key.c_str(), number_with_unit(match[1].str()));
  });
  return values;
}

Result<LoadParser> parse_regex_parser(std::string_view text) {
  const auto equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  const auto known = std::find_if(kNames.begin(), kNames.end(), [&](const NamedKey& candidate) {
    return candidate.name == name || candidate.key == name;
  });
  if (known == kNames.end() || equals == std::string_view::npos)
    return Error{ErrorCode::kUsage, "no figure to look for", std::string(text),
                 "write regex:NAME=PATTERN; NAME is throughput, latency_mean, latency_p50, latency_p95 "
                 "or latency_p99"};
  LoadParser parser;
  parser.key = known->key;
  const std::string pattern(text.substr(equals + 1));
  try {
    parser.pattern = std::regex(pattern, std::regex::ECMAScript);
  } catch (const std::regex_error& problem) {
    return Error{ErrorCode::kUsage, fmt::format("not a regular expression: {}", problem.what()),
                 pattern, ""};
  }
  if (parser.pattern.mark_count() == 0)
    return Error{ErrorCode::kUsage, "the expression has no group", pattern,
                 "put the number in parentheses: 'rate: ([0-9.]+)'"};
  return parser;
}

}  // namespace

Result<LoadParser> parse_load_parser(std::string_view text) {
  LoadParser parser;
  constexpr std::string_view kRegex = "regex:";
  if (text.starts_with(kRegex)) return parse_regex_parser(text.substr(kRegex.size()));
  if (text == "wrk")
    parser.format = LoadFormat::kWrk;
  else if (text == "redis-benchmark")
    parser.format = LoadFormat::kRedisBenchmark;
  else if (text == "pgbench")
    parser.format = LoadFormat::kPgbench;
  else
    return Error{ErrorCode::kUsage, "no parser", std::string(text),
                 "known are wrk, redis-benchmark, pgbench and regex:NAME=PATTERN"};
  return parser;
}

std::map<std::string, double> parse_load_output(const LoadParser& parser, std::string_view text) {
  switch (parser.format) {
    case LoadFormat::kWrk:
      return parse_wrk(text);
    case LoadFormat::kRedisBenchmark:
      return parse_redis_benchmark(text);
    case LoadFormat::kPgbench:
      return parse_pgbench(text);
    case LoadFormat::kRegex:
      break;
  }
  return parse_by_pattern(parser, text);
}

}  // namespace offheap::ab
