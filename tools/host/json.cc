// SPDX-License-Identifier: Apache-2.0
//
// offheap.host/1, written as it goes: a tree of it would take memory that there may not be.
#include <fmt/format.h>

#include <array>
#include <charconv>

#include "host/findings.h"
#include "host/screen.h"
#include "render/sanitise.h"

namespace offheap::host {
namespace {

class JsonOut {
 public:
  explicit JsonOut(const std::function<void(std::string_view)>& out) : out_(out) {}

  void open(char bracket) {
    begin_value();
    raw({&bracket, 1});
    first_ = true;
  }
  void close(char bracket) {
    raw({&bracket, 1});
    first_ = false;
  }
  void key(std::string_view name) {
    begin_value();
    text(name);
    raw(":");
    first_ = true;  // the value needs no comma
  }
  void value(std::string_view word) {
    begin_value();
    text(word);
  }
  void value(std::uint64_t number) { number_of(number); }
  void value(std::int64_t number) { number_of(number); }
  void value(int number) { number_of(number); }
  void value(double number) {
    begin_value();
    raw(fmt::format("{:.3f}", number));
  }
  void value(bool truth) {
    begin_value();
    raw(truth ? "true" : "false");
  }
  template <typename T>
  void value(const std::optional<T>& maybe) {
    if (maybe) return value(*maybe);
    begin_value();
    raw("null");
  }
  template <typename T>
  void field(std::string_view name, const T& content) {
    key(name);
    if constexpr (std::is_same_v<T, std::uint32_t>)
      value(std::uint64_t{content});
    else if constexpr (std::is_convertible_v<T, std::string_view>)
      value(std::string_view(content));
    else
      value(content);
  }

 private:
  void begin_value() {
    if (!first_) raw(",");
    first_ = false;
  }
  template <typename T>
  void number_of(T number) {
    begin_value();
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    raw({digits.data(), static_cast<std::size_t>(end - digits.data())});
  }
  void text(std::string_view word) {
    raw("\"");
    // What is no printable UTF-8 becomes \xNN first, so that only these two are left to escape.
    for (const char c : sanitise(word)) {
      if (c == '"' || c == '\\') raw("\\");
      raw({&c, 1});
    }
    raw("\"");
  }
  void raw(std::string_view bytes) { out_(bytes); }

  const std::function<void(std::string_view)>& out_;
  bool first_ = true;
};

void write_pressure(JsonOut& json, std::string_view name, const std::optional<Pressure>& pressure) {
  json.key(name);
  if (!pressure) return json.value(std::optional<double>());
  json.open('{');
  json.field("some_avg10", pressure->some);
  json.field("full_avg10", pressure->full);
  json.close('}');
}

void write_host(JsonOut& json, const HostLook& look) {
  const HostFacts& host = look.host;
  json.key("host");
  json.open('{');
  json.field("name", host.name);
  json.field("kernel", host.kernel);
  json.field("uptime_seconds", host.uptime_s);
  json.field("cpus", host.cpus);
  json.key("load");
  json.open('[');
  for (const double load : host.load) json.value(load);
  json.close(']');
  json.field("runnable", host.runnable);
  json.field("threads", host.threads);
  json.field("threads_before", host.threads_before);
  json.field("memory_total_bytes", host.memory_total_bytes);
  json.field("memory_available_bytes", host.memory_available_bytes);
  json.field("swap_total_bytes", host.swap_total_bytes);
  json.field("swap_free_bytes", host.swap_free_bytes);
  json.field("committed_bytes", host.committed_bytes);
  json.field("commit_limit_bytes", host.commit_limit_bytes);
  json.field("kernel_stack_bytes", host.kernel_stack_bytes);
  json.field("oom_kills", host.oom_kills);
  json.field("log_kills", look.log_kills);
  json.field("pid_max", host.pid_max);
  json.field("threads_max", host.threads_max);
  json.field("overcommit_memory", host.overcommit);
  json.field("panic_on_oom", host.panic_on_oom);
  write_pressure(json, "memory_pressure", host.memory_pressure);
  write_pressure(json, "io_pressure", host.io_pressure);
  write_pressure(json, "cpu_pressure", host.cpu_pressure);
  json.close('}');
}

void write_tasks(JsonOut& json, const TaskTotals& totals) {
  json.key("tasks");
  json.open('{');
  json.field("processes", totals.processes);
  json.field("threads", totals.threads);
  json.field("running", totals.running);
  json.field("d_threads", totals.d_threads);
  json.field("zombies", totals.zombies);
  json.field("processes_looked_into", totals.looked_into);
  json.close('}');
}

void write_group(JsonOut& json, const HostLook& look, const GroupRow& row) {
  json.open('{');
  json.field("name", group_label(look, static_cast<std::uint32_t>(&row - look.groups.rows().data())));
  json.field("path", row.path);
  json.field("container_id",
             row.container_id.empty() ? std::optional<std::string_view>() : row.container_id);
  json.field("runtime", row.runtime.empty() ? std::optional<std::string_view>() : row.runtime);
  json.field("pod_uid", row.pod_uid.empty() ? std::optional<std::string_view>() : row.pod_uid.view());
  json.field("state", row.state.empty() ? std::optional<std::string_view>() : row.state);
  json.field("restarts", row.restarts);
  json.field("exit_code", row.exit_code);
  json.field("limit_bytes", row.limit_bytes);
  json.field("usage_bytes", row.usage_bytes);
  json.field("swap_limit_bytes", row.swap_limit_bytes);
  json.field("swap_usage_bytes", row.swap_usage_bytes);
  json.field("swap_counts_memory", row.swap_counts_memory);
  json.field("failcnt", row.failcnt);
  json.field("swap_failcnt", row.swap_failcnt);
  json.field("oom_kills", row.oom_kills);
  json.field("oom_kills_before", row.oom_kills_before);
  json.field("under_oom", row.under_oom);
  json.field("oom_kill_disabled", row.oom_kill_disabled);
  json.field("pids", row.pids);
  json.field("pids_limit", row.pids_limit);
  json.field("forks_refused", row.forks_refused);
  json.field("processes", row.processes);
  json.field("threads", row.threads);
  json.field("threads_before", row.threads_before);
  json.field("d_threads", row.d_threads);
  json.field("zombies", row.zombies);
  json.key("parts");
  if (row.parts_known) {
    json.open('{');
    json.field("anon_bytes", row.anon_bytes);
    json.field("shmem_bytes", row.shmem_bytes);
    json.field("file_bytes", row.file_bytes);
    json.field("kernel_bytes", row.kernel_bytes);
    json.close('}');
  } else {
    json.value(std::optional<double>());
  }
  json.close('}');
}

void write_stuck(JsonOut& json, const HostLook& look) {
  json.key("stuck");
  json.open('[');
  for (const StuckGroup& group : group_stuck(look)) {
    const StuckRow& row = *group.first;
    json.open('{');
    json.field("wait_channel",
               group.wait_channel.empty() ? std::optional<std::string_view>() : group.wait_channel);
    json.field("group", group_label(look, group.group));
    json.field("count", group.count);
    json.field("pid", row.pid);
    json.field("tid", row.tid);
    json.field("name", row.name.view());
    json.field("stack", row.stack.empty() ? std::optional<std::string_view>() : row.stack.view());
    json.field("rss_bytes", row.rss_bytes);
    json.field("swap_bytes", row.swap_bytes);
    json.close('}');
  }
  json.close(']');
}

void write_zombies(JsonOut& json, const HostLook& look) {
  json.key("zombies");
  json.open('[');
  for (const ZombieGroup& group : group_zombies(look)) {
    json.open('{');
    json.field("parent_pid", group.parent_pid);
    json.field("parent_name", group.parent ? std::optional(group.parent->name.view()) : std::nullopt);
    json.field("parent_state",
               group.parent ? std::optional(std::string_view(&group.parent->state, 1)) : std::nullopt);
    json.field("group", group_label(look, group.group));
    json.field("name", group.name.view());
    json.field("count", group.count);
    json.field("with_d_threads", group.with_d_threads);
    json.close('}');
  }
  json.close(']');
}

void write_threads(JsonOut& json, const HostLook& look) {
  json.key("most_threads");
  json.open('[');
  for (const TaskRow* row : most_threads(look, 20)) {
    json.open('{');
    json.field("pid", row->pid);
    json.field("name", row->name.view());
    json.field("group", group_label(look, row->group));
    json.field("threads", row->threads);
    json.field("threads_before", row->threads_before);
    json.field("d_threads", row->d_threads);
    json.field("rss_bytes", row->rss_bytes);
    json.close('}');
  }
  json.close(']');
}

void write_kills(JsonOut& json, const HostLook& look) {
  json.key("kills");
  json.open('[');
  for (const KillRow& kill : look.kills.rows()) {
    json.open('{');
    json.field("time_seconds", kill.time_s);
    json.field("pid", kill.pid);
    json.field("name", kill.name.view());
    json.field("group",
               kill.group == kNoGroup ? path_label(kill.group_path) : group_label(look, kill.group));
    json.field("group_path", kill.group_path.view());
    json.field("limit_path", kill.limit_path.view());
    json.field("anon_bytes", kill.anon_bytes);
    json.field("file_bytes", kill.file_bytes);
    json.field("shmem_bytes", kill.shmem_bytes);
    json.field("undead", kill.undead);
    json.close('}');
  }
  json.close(']');
}

void write_fork_limits(JsonOut& json, const HostLook& look) {
  json.key("fork_limits");
  json.open('[');
  for (const ForkLimit& limit : fork_limits(look)) {
    json.open('{');
    json.field("name", limit.name);
    json.field("group", group_label(look, limit.group));
    json.field("used", limit.used);
    json.field("limit", limit.limit);
    json.field("unit", std::string_view(limit.bytes ? "bytes" : "threads"));
    json.field("refused", limit.refused);
    json.close('}');
  }
  json.close(']');
}

void write_findings(JsonOut& json, const HostLook& look) {
  json.key("findings");
  json.open('[');
  for (const Finding& finding : find(look)) {
    json.open('{');
    json.field("kind", finding.kind);
    json.field("headline", finding.headline);
    json.field("text", finding.text);
    json.field("next", finding.next);
    json.field("pid", finding.pid > 0 ? std::optional(finding.pid) : std::nullopt);
    json.field("group", group_label(look, finding.group));
    json.close('}');
  }
  json.close(']');
}

void write_self(JsonOut& json, const HostLook& look) {
  json.key("self");
  json.open('{');
  json.field("taken_ns", look.taken_ns);
  json.field("between_looks_ns", look.between_looks_ns);
  json.field("dropped_processes", look.tasks.dropped());
  json.field("dropped_cgroups", look.groups.dropped());
  json.field("vanished_cgroups", look.vanished_groups);
  json.key("phases");
  json.open('[');
  for (const PhaseTime& phase : look.phases) {
    json.open('{');
    json.field("name", phase.name);
    json.field("ns", phase.ns);
    json.close('}');
  }
  json.close(']');
  json.key("notes");
  json.open('[');
  for (const std::string& text : look.notes) json.value(std::string_view(text));
  json.close(']');
  json.close('}');
}

}  // namespace

void write_host_json(const HostLook& look, const std::function<void(std::string_view)>& out) {
  JsonOut json(out);
  json.open('{');
  json.field("schema", std::string_view("offheap.host/1"));
  json.field("taken_unix_seconds", look.taken_unix_s);
  write_findings(json, look);
  write_host(json, look);
  write_tasks(json, look.totals);
  json.field("cgroup_version", look.cgroup_version);
  json.key("cgroups");
  json.open('[');
  for (const GroupRow* row : order_groups(look, true)) write_group(json, look, *row);
  json.close(']');
  write_stuck(json, look);
  write_zombies(json, look);
  write_threads(json, look);
  write_fork_limits(json, look);
  write_kills(json, look);
  write_self(json, look);
  json.close('}');
  out("\n");
}

}  // namespace offheap::host
