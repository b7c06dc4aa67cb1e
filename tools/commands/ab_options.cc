// SPDX-License-Identifier: Apache-2.0
#include "commands/ab_options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "ab/docker_run.h"
#include "ab/provenance.h"
#include "ab/server.h"
#include "commands/end_look.h"
#include "commands/explain.h"
#include "commands/run.h"

namespace offheap {
Error usage(std::string what, std::string where, std::string remedy) {
  return {ErrorCode::kUsage, std::move(what), std::move(where), std::move(remedy)};
}

namespace {

using ab::Entry;

ab::Json request_json(const AbAsked& asked) {
  return {{"command", asked.command}, {"start", asked.start},
          {"ready", asked.ready},     {"ready_timeout", asked.ready_timeout},
          {"load", asked.load},       {"stop", asked.stop},
          {"parse", asked.parse},     {"timeout", asked.timeout},
          {"measure", asked.measure}, {"docker", asked.image},
          {"memory", asked.memory},   {"docker_arg", asked.docker_arguments},
          {"runs", asked.runs},       {"warm_up", asked.warm_up}};
}

std::vector<std::string> inherited_environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  return variables;
}

Result<std::vector<Entry>> entries_of(const AbAsked& asked) {
  std::vector<Entry> entries;
  for (const std::string& text : asked.entries) {
    auto entry = ab::parse_entry(text);
    if (!entry) return entry.error();
    entries.push_back(std::move(*entry));
  }
  const std::string list = asked.backends.empty() && entries.empty() ? kDefaultEntries : asked.backends;
  if (!list.empty()) {
    auto listed = ab::parse_entry_list(list);
    if (!listed) return listed.error();
    entries.insert(entries.end(), listed->begin(), listed->end());
  }
  if (const auto distinct = ab::check_distinct(entries); !distinct) return distinct.error();
  for (Entry& entry : entries) {
    auto resolved = ab::resolve_entry(std::move(entry));
    if (!resolved) return resolved.error();
    entry = std::move(*resolved);
  }
  return entries;
}

Result<double> seconds_of(const std::string& text) {
  if (text.empty()) return 0.0;
  const auto duration_ns = parse_duration_ns(text);
  if (!duration_ns) return usage("no duration", text, "write 30s, 500ms, 2m or 1h");
  return static_cast<double>(*duration_ns) * 1e-9;
}

Result<std::set<std::string>> measured_of(const std::string& text) {
  std::set<std::string> keys;
  std::string known;
  for (const ab::Metric& metric : ab::metrics()) known += fmt::format(" {}", metric.key);
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find_first_of(", ", at), text.size());
    const std::string key = text.substr(at, end - at);
    at = end + 1;
    if (key.empty()) continue;
    if (std::none_of(ab::metrics().begin(), ab::metrics().end(),
                     [&](const ab::Metric& metric) { return metric.key == key; }))
      return usage("nothing that is measured", key, "known are" + known);
    keys.insert(key);
  }
  return keys;
}

Result<bool> check_request(const AbAsked& asked) {
  if (asked.command.empty() && asked.start.empty() && asked.image.empty())
    return usage("nothing to run", "", "offheap ab [OPTIONS] -- CMD...");
  if (!asked.command.empty() && !asked.start.empty())
    return usage("a server is started by --start or by the command after --, not by both", asked.start,
                 "");
  if (asked.load.empty() != asked.ready.empty())
    return usage("a server needs both --ready and --load", asked.load + asked.ready, "");
  if (!asked.start.empty() && asked.load.empty())
    return usage("--start needs --ready and --load", asked.start, "a command that ends goes after --");
  if (asked.image.empty() && (!asked.memory.empty() || !asked.docker_arguments.empty()))
    return usage("a limit needs a container", asked.memory, "name an image: --docker IMAGE");
  if (asked.runs == 0) return usage("no run at all", "--runs 0", "two or more give an interval");
  return true;
}

Result<ab::RunRequest> run_request_of(const AbAsked& asked) {
  if (const auto fits = check_request(asked); !fits) return fits.error();
  ab::RunRequest request;
  request.command = asked.start.empty() ? asked.command : ab::shell_command(asked.start);
  const auto timeout = seconds_of(asked.timeout);
  if (!timeout) return timeout.error();
  request.timeout_seconds = *timeout;
  const auto ready_timeout = seconds_of(asked.ready_timeout);
  if (!ready_timeout) return ready_timeout.error();
  request.ready_timeout_seconds = *ready_timeout;
  for (const std::string& text : asked.parse) {
    auto parser = ab::parse_load_parser(text);
    if (!parser) return parser.error();
    request.parsers.push_back(std::move(*parser));
  }
  auto measured = measured_of(asked.measure);
  if (!measured) return measured.error();
  request.measured = std::move(*measured);
  const auto signal = ab::parse_signal(asked.stop);
  if (!signal) return signal.error();
  request.stop_signal = *signal;
  if (!asked.ready.empty()) {
    if (const auto probe = ab::parse_probe(asked.ready); !probe) return probe.error();
  }
  request.ready = asked.ready;
  request.load = asked.load;
  request.image = asked.image;
  request.memory_limit = asked.memory;
  request.docker_arguments = asked.docker_arguments;
  return request;
}

/// Who answers to an entry's name, asked of a program that does nothing.
std::string allocator_under(const ab::Session& session, const Entry& entry) {
  if (entry.kind == ab::EntryKind::kBare && !entry.library.empty()) return entry.library;
  if (entry.kind != ab::EntryKind::kShim || !session.request.image.empty()) return {};
  ab::ChildOptions options;
  options.command = {"true"};
  options.environment = ab::environment_for(session, entry);
  options.hold_at_exit = true;
  auto child = ab::Child::start(options);
  if (!child) return {};
  std::string name;
  child->wait([&](bool) { name = backend_of(child->pid()); });
  return name;
}

Result<std::uint64_t> seed_of(const std::string& text) {
  if (text.empty()) return std::uint64_t{std::random_device{}()};
  char* end = nullptr;
  const std::uint64_t seed = std::strtoull(text.c_str(), &end, 10);
  if (*end != '\0' || text.front() == '-') return usage("no seed", text, "write a number");
  return seed;
}

}  // namespace

Result<bool> take_request(const ab::Json& provenance, AbAsked& asked) {
  if (!asked.command.empty() || !asked.start.empty()) return true;
  try {
    const ab::Json& request = provenance.at("request");
    request.at("command").get_to(asked.command);
    request.at("start").get_to(asked.start);
    request.at("ready").get_to(asked.ready);
    request.at("ready_timeout").get_to(asked.ready_timeout);
    request.at("load").get_to(asked.load);
    request.at("stop").get_to(asked.stop);
    request.at("parse").get_to(asked.parse);
    request.at("timeout").get_to(asked.timeout);
    request.at("measure").get_to(asked.measure);
    request.at("docker").get_to(asked.image);
    request.at("memory").get_to(asked.memory);
    request.at("docker_arg").get_to(asked.docker_arguments);
    request.at("runs").get_to(asked.runs);
    request.at("warm_up").get_to(asked.warm_up);
    return true;
  } catch (const std::exception& problem) {
    return usage("the rows do not say what was run", problem.what(), "name the command: -- CMD");
  }
}

Result<ab::Session> session_of(const AbAsked& asked) {
  auto entries = entries_of(asked);
  if (!entries) return entries.error();
  auto request = run_request_of(asked);
  if (!request) return request.error();
  const auto seed = seed_of(asked.seed);
  if (!seed) return seed.error();
  ab::Session session;
  session.entries = std::move(*entries);
  session.request = std::move(*request);
  session.runs = asked.runs;
  session.warm_up = asked.warm_up;
  session.seed = *seed;
  session.environment = inherited_environment();
  session.look = look_at_end;
  if (std::any_of(session.entries.begin(), session.entries.end(),
                  [](const Entry& entry) { return entry.kind == ab::EntryKind::kShim; })) {
    auto shim = find_libshim();
    if (!shim) return shim.error();
    session.shim = std::move(*shim);
  }
  return session;
}

ab::Json provenance_of(const AbAsked& asked, const ab::Session& session) {
  std::vector<std::string> allocators;
  for (const Entry& entry : session.entries) allocators.push_back(allocator_under(session, entry));
  ab::Json provenance{{"offheap", OFFHEAP_VERSION}};
  provenance["seed"] = session.seed;
  provenance["entries"] = ab::describe_entries(session.entries, allocators,
                                               asked.image.empty() ? session.shim : ab::kContainerShim);
  provenance["request"] = request_json(asked);
  provenance.update(ab::describe_machine(session.environment));
  return provenance;
}

}  // namespace offheap
