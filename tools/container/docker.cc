// SPDX-License-Identifier: Apache-2.0
#include "container/docker.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "container/http.h"

namespace offheap {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kTimeout_ns = 1'000'000'000;
constexpr std::size_t kMostContainers = 10'000;

Error no_docker_json(const char* what) {
  return Error{ErrorCode::kUnreadable, what, "the daemon's answer", "is this Docker's socket?"};
}

std::string text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

Json object_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? *found : Json::object();
}

std::string without_slash(std::string name) {
  if (name.starts_with('/')) name.erase(0, 1);
  return name;
}

DockerEntry entry_of(const Json& item) {
  DockerEntry entry;
  entry.id = text_at(item, "Id");
  entry.image = text_at(item, "Image");
  entry.state = text_at(item, "State");
  const auto names = item.find("Names");
  if (names == item.end() || !names->is_array()) return entry;
  for (const Json& name : *names)
    if (name.is_string()) entry.names.push_back(without_slash(name.get<std::string>()));
  return entry;
}

Result<std::string> ask(const std::string& path) {
  const auto socket = docker_socket();
  if (!socket) return socket.error();
  auto answer = http_get(*socket, path, kTimeout_ns);
  if (!answer) return answer.error();
  if (answer->status != 200) return no_docker_json("the daemon refuses to answer");
  return std::move(answer->body);
}

}  // namespace

Result<std::vector<DockerEntry>> parse_docker_list(std::string_view text) {
  const Json list = Json::parse(text, nullptr, false);
  if (!list.is_array()) return no_docker_json("not a list of containers");
  std::vector<DockerEntry> entries;
  for (const Json& item : list) {
    if (entries.size() == kMostContainers) break;
    if (!item.is_object()) continue;
    DockerEntry entry = entry_of(item);
    if (!entry.id.empty()) entries.push_back(std::move(entry));
  }
  return entries;
}

Result<Container> parse_docker_container(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return no_docker_json("not a container");
  Container container;
  container.id = text_at(json, "Id");
  if (container.id.empty()) return no_docker_json("a container without an id");
  container.runtime = "docker";
  container.name = without_slash(text_at(json, "Name"));
  container.image = text_at(object_at(json, "Config"), "Image");
  if (const auto count = json.find("RestartCount"); count != json.end() && count->is_number_unsigned())
    container.restart_count = count->get<std::uint64_t>();
  const Json state = object_at(json, "State");
  if (const auto killed = state.find("OOMKilled"); killed != state.end() && killed->is_boolean())
    container.oom_killed = killed->get<bool>();
  return container;
}

Result<std::string> docker_socket() {
  const char* host = std::getenv("DOCKER_HOST");
  if (!host || !*host) return std::string("/var/run/docker.sock");
  constexpr std::string_view kScheme = "unix://";
  const std::string_view address(host);
  if (!address.starts_with(kScheme))
    return Error{ErrorCode::kUsage, "only unix:// sockets are asked", host,
                 "set DOCKER_HOST=unix:///var/run/docker.sock, or give a container id"};
  return std::string(address.substr(kScheme.size()));
}

Result<std::vector<DockerEntry>> list_docker_containers() {
  const auto text = ask("/containers/json?all=1");
  if (!text) return text.error();
  return parse_docker_list(*text);
}

void ask_docker_about(Container& container) {
  // Other runtimes' containers are none of Docker's; the id goes into a path, so it must be one.
  if (container.runtime != "docker" && container.runtime != "unknown") return;
  const bool hexadecimal = container.id.size() == 64 &&
                           container.id.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!hexadecimal) return;
  const auto text = ask("/containers/" + container.id + "/json");
  if (!text) return;
  const auto known = parse_docker_container(*text);
  if (known && known->id == container.id) container = *known;
}

}  // namespace offheap
