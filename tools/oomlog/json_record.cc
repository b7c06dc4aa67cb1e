// SPDX-License-Identifier: Apache-2.0
#include "oomlog/json_record.h"

#include <fmt/format.h>
#include <time.h>

#include <nlohmann/json.hpp>

#include "oomlog/text.h"

namespace offheap {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLongest = std::size_t{1} << 20;

/// A string, or the journal's array of bytes for a text that is no UTF-8.
std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  std::string text;
  if (!value.is_array()) return text;
  for (const Json& byte : value) {
    if (!byte.is_number_unsigned() || byte.get<std::uint64_t>() > 255) return {};
    text.push_back(static_cast<char>(byte.get<unsigned char>()));
  }
  return text;
}

std::string field(const Json& object, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto found = object.find(name);
    if (found == object.end()) continue;
    std::string text = text_of(*found);
    if (!text.empty()) return text;
  }
  return {};
}

std::optional<std::int64_t> microseconds(const Json& object, std::initializer_list<const char*> names) {
  const std::string text = field(object, names);
  std::string_view rest = text;
  return eat_number(rest);
}

std::string without_newlines(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at))
    text.replace(at, 1, "#012");
  return text;
}

}  // namespace

std::string wall_of_us(std::int64_t us) {
  const auto seconds = static_cast<time_t>(us / 1'000'000);
  tm parts{};
  if (us < 0 || gmtime_r(&seconds, &parts) == nullptr) return {};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     us % 1'000'000);
}

std::optional<std::string> line_of_json(std::string_view json) {
  if (json.size() > kLongest) return {};
  const Json object = Json::parse(json, nullptr, false);
  if (!object.is_object()) return {};
  const auto payload = object.find("jsonPayload");
  const Json& record = payload != object.end() && payload->is_object() ? *payload : object;
  std::string message = field(record, {"MESSAGE", "log", "message", "msg", "@message", "_raw", "body"});
  if (message.empty()) message = field(object, {"textPayload"});
  if (message.empty()) return {};
  message = without_newlines(std::move(message));
  const std::string transport = field(record, {"_TRANSPORT"});
  const std::string program = field(record, {"SYSLOG_IDENTIFIER", "ident", "program", "appname"});
  if ((!transport.empty() && transport != "kernel") || (!program.empty() && program != "kernel"))
    return {};
  std::string wall;
  if (const auto us = microseconds(record, {"_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP"}))
    wall = wall_of_us(*us);
  if (wall.empty()) wall = field(object, {"time", "timestamp", "@timestamp", "receiveTimestamp"});
  if (transport.empty() && program.empty()) return wall.empty() ? message : wall + " " + message;
  const auto clock = microseconds(record, {"_SOURCE_MONOTONIC_TIMESTAMP"});
  const std::string bracket =
      clock && *clock >= 0 ? fmt::format("[{}.{:06}] ", *clock / 1'000'000, *clock % 1'000'000) : "";
  return fmt::format("{} kernel: {}{}", wall.empty() ? "-" : wall, bracket, message);
}

}  // namespace offheap
