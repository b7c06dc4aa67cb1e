// SPDX-License-Identifier: Apache-2.0
//
// Load tools' output, as wrk 4.1.0, redis-benchmark 7.0.15 and pgbench 15.18 printed it.
#include "ab/load_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace offheap::ab {
namespace {

using ::testing::DoubleNear;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::map<std::string, double> parsed(std::string_view parser, std::string_view text) {
  const auto known = parse_load_parser(parser);
  EXPECT_TRUE(known.ok()) << parser;
  return known ? parse_load_output(*known, text) : std::map<std::string, double>();
}

auto is(const char* key, double value) { return Pair(key, DoubleNear(value, value * 1e-9)); }

constexpr std::string_view kWrk = R"(Running 1s test @ http://127.0.0.1:7398/index.html
  1 threads and 4 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    52.15ms   49.47ms 229.29ms   87.18%
    Req/Sec   104.00     58.57   202.00     66.67%
  Latency Distribution
     50%   46.27ms
     75%   59.85ms
     90%  118.56ms
     99%  229.13ms
  100 requests in 1.08s, 18.26KB read
Requests/sec:     92.73
Transfer/sec:     16.93KB
)";

TEST(AbLoadOutput, wrk_with_latency_distribution) {
  EXPECT_THAT(
      parsed("wrk", kWrk),
      UnorderedElementsAre(is("throughput_per_second", 92.73), is("latency_mean_seconds", 0.05215),
                           is("latency_p50_seconds", 0.04627), is("latency_p99_seconds", 0.22913)));
}

TEST(AbLoadOutput, wrk_without_distribution) {
  EXPECT_THAT(parsed("wrk", kWrk.substr(0, kWrk.find("  Latency Distribution"))),
              UnorderedElementsAre(is("latency_mean_seconds", 0.05215)));
}

TEST(AbLoadOutput, redis_benchmark_csv_is_one_figure_for_all_tests) {
  constexpr std::string_view text =
      R"("test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
"SET","10775.86","3.438","0.120","1.775","8.015","31.135","44.703"
"GET","4508.57","7.832","0.248","3.727","27.471","35.583","41.983"
)";
  EXPECT_THAT(
      parsed("redis-benchmark", text),
      UnorderedElementsAre(is("throughput_per_second", 2 / (1 / 10775.86 + 1 / 4508.57)),
                           is("latency_mean_seconds", (0.003438 + 0.007832) / 2),
                           is("latency_p50_seconds", 0.003727), is("latency_p95_seconds", 0.027471),
                           is("latency_p99_seconds", 0.035583)));
}

TEST(AbLoadOutput, redis_benchmark_quiet_overwrites_its_progress) {
  constexpr std::string_view text =
      "SET: rps=0.0 (overall: 0.0) avg_msec=-nan (overall: -nan)\r            \r"
      "SET: rps=4158.7 (overall: 5232.3) avg_msec=9.228 (overall: 7.005)\r       \r"
      "SET: 6944.44 requests per second, p50=1.463 msec                   \n"
      "GET: rps=5740.2 (overall: 7849.3) avg_msec=7.152 (overall: 5.035)\r       \r"
      "GET: 7680.49 requests per second, p50=1.319 msec                   \n\n";
  EXPECT_THAT(parsed("redis-benchmark", text),
              UnorderedElementsAre(is("throughput_per_second", 2 / (1 / 6944.44 + 1 / 7680.49)),
                                   is("latency_p50_seconds", 0.001463)));
}

TEST(AbLoadOutput, redis_benchmark_summary) {
  constexpr std::string_view text = R"(Summary:
  throughput summary: 9157.51 requests per second
  latency summary (msec):
          avg       min       p50       p95       p99       max
        3.794     0.184     1.375    19.055    31.647    37.215
)";
  EXPECT_THAT(
      parsed("redis-benchmark", text),
      UnorderedElementsAre(is("throughput_per_second", 9157.51), is("latency_mean_seconds", 0.003794),
                           is("latency_p50_seconds", 0.001375), is("latency_p95_seconds", 0.019055),
                           is("latency_p99_seconds", 0.031647)));
}

TEST(AbLoadOutput, pgbench) {
  constexpr std::string_view text = R"(pgbench (15.18 (Debian 15.18-0+deb12u1))
starting vacuum...end.
transaction type: <builtin: TPC-B (sort of)>
scaling factor: 1
query mode: simple
number of clients: 2
number of threads: 1
maximum number of tries: 1
duration: 2 s
number of transactions actually processed: 409
number of failed transactions: 0 (0.000%)
latency average = 9.731 ms
initial connection time = 24.127 ms
tps = 205.526399 (without initial connection time)
)";
  EXPECT_THAT(parsed("pgbench", text), UnorderedElementsAre(is("throughput_per_second", 205.526399),
                                                            is("latency_mean_seconds", 0.009731)));
}

TEST(AbLoadOutput, pattern_takes_the_last_line_and_the_unit) {
  EXPECT_THAT(parsed("regex:throughput=served (\\S+) per s", "served 10 per s\nserved 12.5k per s\n"),
              UnorderedElementsAre(is("throughput_per_second", 12500)));
  EXPECT_THAT(parsed("regex:latency_p99=p99=([0-9.]+ ?[a-z]+)", "p99=15 ms p50=3 ms"),
              UnorderedElementsAre(is("latency_p99_seconds", 0.015)));
  EXPECT_THAT(parsed("regex:latency_p50_seconds=p50=([0-9.]+)", "p50=0.25"),
              UnorderedElementsAre(is("latency_p50_seconds", 0.25)));
}

TEST(AbLoadOutput, what_holds_no_figure_gives_none) {
  for (const char* parser : {"wrk", "redis-benchmark", "pgbench", "regex:throughput=rate: (.*)"})
    for (const char* text : {"", "command not found", "rate: fast", "Requests/sec: nan\ntps = x\n",
                             "Could not connect to Redis at 127.0.0.1:1: Connection refused"})
      EXPECT_THAT(parsed(parser, text), IsEmpty()) << parser << ": " << text;
}

TEST(AbLoadOutput, wrong_parsers_are_errors) {
  for (const char* text : {"", "ab", "regex:", "regex:rate=(x)", "regex:throughput",
                           "regex:throughput=([", "regex:throughput=no group"})
    EXPECT_FALSE(parse_load_parser(text).ok()) << text;
}

}  // namespace
}  // namespace offheap::ab
