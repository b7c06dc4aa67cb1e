// SPDX-License-Identifier: Apache-2.0
//
// The two files that Docker keeps of each container, read token by token: a few names of a file that
// may be long are wanted, and no tree of it.
#include <nlohmann/json.hpp>

#include "host/parse.h"

namespace offheap::host {
namespace {

/// Calls `take` with each scalar and the key of the object that it stands in, at depth 1 or 2.
template <typename Take>
class Scalars : public nlohmann::json::json_sax_t {
 public:
  explicit Scalars(Take take) : take_(std::move(take)) {}

  bool key(string_t& name) override {
    if (depth_ == 1) outer_ = name;
    if (depth_ == 2) inner_ = name;
    return true;
  }
  bool start_object(std::size_t) override { return deeper(); }
  bool end_object() override { return higher(); }
  bool start_array(std::size_t) override { return deeper(); }
  bool end_array() override { return higher(); }
  bool string(string_t& value) override { return given(value, {}); }
  bool number_integer(number_integer_t value) override { return given({}, value); }
  bool number_unsigned(number_unsigned_t value) override {
    return given({}, static_cast<std::int64_t>(value));
  }
  bool boolean(bool value) override { return given(value ? "true" : "false", {}); }
  bool null() override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override {
    return false;
  }

 private:
  bool deeper() {
    ++depth_;
    inner_.clear();
    return true;
  }
  bool higher() {
    --depth_;
    inner_.clear();
    return true;
  }
  bool given(std::string_view text, std::optional<std::int64_t> number) {
    if (depth_ == 1) take_(std::string_view(outer_), std::string_view(), text, number);
    if (depth_ == 2) take_(std::string_view(outer_), std::string_view(inner_), text, number);
    return true;
  }

  Take take_;
  int depth_ = 0;
  std::string outer_;
  std::string inner_;
};

template <typename Take>
bool read_scalars(std::string_view text, Take take) {
  Scalars<Take> scalars(std::move(take));
  return nlohmann::json::sax_parse(text, &scalars);
}

}  // namespace

std::optional<DockerFile> parse_docker_config(std::string_view text, Arena& arena) {
  DockerFile found;
  const bool whole =
      read_scalars(text, [&](std::string_view outer, std::string_view inner, std::string_view value,
                             std::optional<std::int64_t> number) {
        if (outer == "Name" && inner.empty() && !value.empty())
          found.name = arena.keep(value.substr(value.starts_with('/') ? 1 : 0));
        if (outer == "RestartCount" && number && *number >= 0)
          found.restarts = static_cast<std::uint64_t>(*number);
        if (outer != "State") return;
        if (inner == "ExitCode") found.exit_code = number;
        if (inner == "Running" && value == "true" && found.state.empty()) found.state = "running";
        if (inner == "Dead" && value == "true") found.state = "dead";
        if (inner == "Restarting" && value == "true") found.state = "restarting";
        if (inner == "Paused" && value == "true") found.state = "paused";
      });
  if (!whole || found.name.empty()) return {};
  if (found.state.empty()) found.state = "exited";
  return found;
}

DockerHostConfig parse_docker_host_config(std::string_view text, Arena& arena) {
  DockerHostConfig found;
  read_scalars(text, [&](std::string_view outer, std::string_view inner, std::string_view value,
                         std::optional<std::int64_t> number) {
    if (outer == "RestartPolicy" && inner == "Name") found.restart_policy = arena.keep(value);
    if (outer == "Memory" && inner.empty() && number && *number > 0)
      found.limit_bytes = static_cast<Bytes>(*number);
  });
  return found;
}

}  // namespace offheap::host
