// SPDX-License-Identifier: Apache-2.0
#include "oomlog/cause.h"
#include "oomlog/container.h"
#include "render/oom.h"

namespace offheap {
namespace {

/// "crio" is the word of explain; this contract spells it as the project does.
std::string runtime_word(const Container& container) {
  if (container.runtime == "crio") return "cri-o";
  return container.runtime == "unknown" ? std::string() : container.runtime;
}

void put_usage(Json& json, const std::string& prefix, const std::optional<OomUsage>& usage,
               bool always) {
  if (!usage && !always) return;
  json[prefix + "limit_kb"] = usage ? Json(usage->limit_kb) : Json(nullptr);
  json[prefix + "usage_kb"] = usage ? Json(usage->usage_kb) : Json(nullptr);
  json[prefix + "failcnt"] = usage ? Json(usage->failcnt) : Json(nullptr);
}

const char* source_word(VictimSource source) {
  switch (source) {
    case VictimSource::kKilled:
      return "Killed process";
    case VictimSource::kEvent:
      return "oom-kill:";
    case VictimSource::kReaper:
      return "oom_reaper:";
    case VictimSource::kSelected:
      return "Kill process";
    case VictimSource::kLimit:
      return "Task in";
  }
  return "";
}

void put_victim(Json& json, const OomVictim& victim) {
  json["pid"] = or_null(victim.pid);
  json["name"] = or_null(victim.name);
  json["uid"] = or_null(victim.uid);
  json["total_vm_kb"] = or_null(victim.total_vm_kb);
  json["anon_rss_kb"] = or_null(victim.anon_rss_kb);
  json["file_rss_kb"] = or_null(victim.file_rss_kb);
  json["shmem_rss_kb"] = or_null(victim.shmem_rss_kb);
  json["pgtables_kb"] = or_null(victim.pgtables_kb);
  json["oom_score_adj"] = or_null(victim.adj);
  json["score"] = or_null(victim.score);
  json["selected_pid"] = or_null(victim.selected_pid);
  json["reaped"] = or_null(victim.reaped);
  json["kill_line"] = victim.source == VictimSource::kKilled ? Json(nullptr) : Json(false);
  json["victim_named_by"] = source_word(victim.source);
  json["duplicate_lines"] = victim.lines > 1 ? Json(victim.lines) : Json(nullptr);
  json["time"] = or_null(victim.time.wall);
  json["kernel_clock"] = or_null(victim.time.clock);
}

void put_owner(Json& json, const OomReport& report, const OomNames& names) {
  const GroupOwner owner = owner_of_group(report.task_memcg);
  const std::string id = owner.container ? owner.container->id : std::string();
  json["container_id"] = or_null(id);
  json["runtime"] = owner.container ? or_null(runtime_word(*owner.container)) : Json(nullptr);
  json["pod_uid"] = or_null(owner.pod_uid);
  const auto name = names.find(id);
  json["container_name"] = name == names.end() || id.empty() ? Json(nullptr) : Json(name->second);
  const auto pod = names.find(owner.pod_uid);
  json["pod"] = pod == names.end() || owner.pod_uid.empty() ? Json(nullptr) : Json(pod->second);
  json["limit_level"] = or_null(level_of_limit(report.oom_memcg, report.task_memcg));
}

Json cause_json(const OomCause& cause) {
  return {{"kind", cause.kind},     {"summary", cause.summary}, {"evidence", cause.evidence},
          {"remedy", cause.remedy}, {"bytes", cause.bytes},     {"share", cause.share},
          {"notes", cause.notes}};
}

Json kill_json(const OomReport& report, const OomVictim& victim, const OomNames& names) {
  Json json = Json::object();
  put_victim(json, victim);
  json["constraint"] = or_null(constraint_word(report));
  json["memcg"] = or_null(report.task_memcg);
  json["oom_memcg"] = or_null(report.oom_memcg);
  put_owner(json, report, names);
  put_usage(json, "", report.memory, true);
  put_usage(json, "memsw_", report.memory_swap, false);
  put_usage(json, "kmem_", report.kernel_memory, false);
  put_usage(json, "swap_", report.swap, false);
  json["invoker"] = or_null(report.invoker);
  json["invoker_pid"] = or_null(report.invoker_pid);
  json["order"] = or_null(report.order);
  json["page_kb"] = or_null(report.page_kb);
  json["oom_group"] = report.group ? Json(true) : Json(nullptr);
  json["kernel"] = or_null(report.kernel);
  json["cause"] = cause_json(judge_oom(report, victim));
  json["note"] = nullptr;
  return json;
}

void put_if(Json& json, const char* key, std::int64_t count) {
  if (count > 0) json[key] = count;
}

/// Sets a key once: the first report that has it speaks.
template <typename T>
void put_once(Json& json, const char* key, const T& value) {
  if (!json.contains(key)) json[key] = value;
}

void put_report_without_kill(Json& json, const OomReport& report) {
  if (!report.invoker.empty()) put_once(json, "invoker", report.invoker);
  if (report.invoker_pid) put_once(json, "invoker_pid", *report.invoker_pid);
  if (report.order) put_once(json, "order", *report.order);
  if (report.memory) {
    put_once(json, "limit_kb", report.memory->limit_kb);
    put_once(json, "usage_kb", report.memory->usage_kb);
    put_once(json, "failcnt", report.memory->failcnt);
  }
  const std::string invokers = container_of_cpuset(report.invoker_cpuset);
  if (!invokers.empty()) put_once(json, "container_of_invoker", invokers);
  if (report.oom_memcg.empty()) return;
  const GroupOwner owner = owner_of_group(report.task_memcg);
  Json memcg{{"task_memcg", report.task_memcg}, {"limit_of", report.oom_memcg}};
  memcg["container"] = owner.container ? Json(owner.container->id) : Json(nullptr);
  memcg["pod_uid"] = or_null(owner.pod_uid);
  put_usage(memcg, "", report.memory, true);
  put_once(json, "memcg_report_without_kill", memcg);
}

void put_biggest(Json& json, const OomReport& report) {
  if (report.biggest.empty()) return;
  const OomTask& task = report.biggest.front();
  if (report.victims.empty()) {
    put_once(json, "biggest_in_table",
             Json{{"pid", task.pid},
                  {"name", task.name},
                  {"rss_pages", task.rss_pages},
                  {"swapents", or_null(task.swap_pages)}});
  } else if (report.victims.front().pid != task.pid) {
    put_once(json, "largest_in_table", task.pid);
  }
}

void put_panic(Json& json, const OomReport& report) {
  if (report.panic.empty()) return;
  for (const char* policy : {"system-wide", "compulsory"})
    if (report.panic.find(policy) != std::string::npos) put_once(json, "panic_on_oom", policy);
  if (!json.contains("panic_on_oom")) put_once(json, "panic", report.panic);
  if (report.panic_pid) put_once(json, "panic_pid", *report.panic_pid);
  if (!report.panic_comm.empty()) put_once(json, "panic_comm", report.panic_comm);
  if (report.panic_memcg || !report.oom_memcg.empty()) put_once(json, "memcg", true);
}

void put_reports(Json& json, const OomSummary& summary) {
  std::int64_t without = 0;
  for (const OomReport& report : summary.reports) {
    if (report.order == -1) put_once(json, "sysrq", true);
    if (report.swap && is_no_limit(report.swap->limit_kb)) put_once(json, "swap", "limit unlimited");
    if (report.host.swap_free_kb) put_once(json, "swap_free_kb", *report.host.swap_free_kb);
    if (report.host.swap_total_kb) put_once(json, "swap_total_kb", *report.host.swap_total_kb);
    if (!report.nodemask.empty() && report.nodemask != "(null)")
      put_once(json, "nodemask", report.nodemask);
    put_biggest(json, report);
    put_panic(json, report);
    if (!report.victims.empty() || report.selected_only_pid) continue;
    if (report.has_header && report.panic.empty()) ++without;
    put_report_without_kill(json, report);
  }
  put_if(json, "oom_invocations_without_kill", without);
}

Json events_json(const OomSummary& summary) {
  const OomNotes& notes = summary.notes;
  Json json = Json::object();
  put_reports(json, summary);
  put_if(json, "suppressed", notes.suppressed);
  put_if(json, "printk_dropped", notes.printk_dropped);
  put_if(json, "records_overwritten", notes.overwritten);
  put_if(json, "no_killable", notes.no_killable);
  put_if(json, "fork_rejected", notes.fork_rejected);
  put_if(json, "told_twice", static_cast<std::int64_t>(summary.duplicates));
  put_if(json, "reports_not_listed", static_cast<std::int64_t>(summary.unlisted_reports));
  if (notes.soft_lockup) json["soft_lockup"] = true;
  if (!notes.other_panic.empty()) json["panic_not_oom"] = notes.other_panic;
  if (!notes.unable_to_reap.empty()) json["unable_to_reap"] = notes.unable_to_reap;
  for (const auto& [pid, state] : notes.states)
    json["states"][std::to_string(pid)] = std::string(1, state);
  if (!notes.alive_at_lock_dump.empty())
    json["victims_still_alive_at_lock_dump"] = notes.alive_at_lock_dump;
  if (!notes.selected_without_kill.empty())
    json["kill_selected_without_killed_line"] = notes.selected_without_kill;
  return json;
}

}  // namespace

Json oom_json(const OomSummary& summary, const OomNames& names) {
  Json json{{"schema", "offheap.oom/1"}};
  json["sources"] = summary.sources;
  json["kernel"] = or_null(summary.notes.kernel);
  json["kills"] = Json::array();
  for (const OomKill& kill : summary.kills) {
    const OomReport& report = summary.reports[kill.report];
    json["kills"].push_back(kill_json(report, report.victims[kill.victim], names));
  }
  json["events_other"] = events_json(summary);
  json["loops"] = Json::array();
  for (const OomLoop& loop : summary.loops) {
    const auto name = names.find(loop.key);
    json["loops"].push_back({{"of", loop.what},
                             {"key", loop.key},
                             {"name", name == names.end() ? Json(nullptr) : Json(name->second)},
                             {"kills", loop.kills.size()},
                             {"span_seconds", static_cast<double>(loop.span_us) / 1e6},
                             {"median_life_seconds", static_cast<double>(loop.median_gap_us) / 1e6},
                             {"made_anew", loop.ids_change}});
  }
  return json;
}

}  // namespace offheap
