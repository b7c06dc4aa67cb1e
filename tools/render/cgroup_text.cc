// SPDX-License-Identifier: Apache-2.0
#include "render/cgroup_text.h"

#include <algorithm>

#include "base/format.h"
#include "render/sanitise.h"

namespace offheap {
namespace {

constexpr std::size_t kProcessesShown = 5;

/// Of what is most often above zero, so that only the exception shows its sign.
std::string rest_bytes_text(std::int64_t bytes) {
  const auto size = static_cast<Bytes>(bytes < 0 ? -bytes : bytes);
  return (bytes < 0 ? "-" : "") + format_bytes(size);
}

void add_part(std::string_view name, const std::string& bytes, const std::string& about, Page& page) {
  page.wrapped(fmt::format("  {:<12}{:>11}  ", name, bytes), about);
}

std::string percent_of(Bytes part, Bytes whole) {
  return fmt::format("{:.0f} %",
                     whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole));
}

void add_charge_line(const Cgroup& cgroup, Page& page) {
  std::string about =
      cgroup.limit_bytes
          ? fmt::format("{} of the limit of {}", percent_of(cgroup.usage_bytes, *cgroup.limit_bytes),
                        format_bytes(*cgroup.limit_bytes))
          : std::string("no limit");
  if (cgroup.peak_usage_bytes > 0) about += "; peak " + format_bytes(cgroup.peak_usage_bytes);
  about += fmt::format("; met the limit {} times; {} kills", cgroup.failcnt, cgroup.oom_kills);
  if (cgroup.swap_usage_bytes > 0) about += "; swapped out " + format_bytes(cgroup.swap_usage_bytes);
  add_part("charge", format_bytes(cgroup.usage_bytes), about, page);
}

std::string kernel_text(const Charge& charge) {
  std::string text;
  for (const NamedBytes& part : charge.kernel_parts) {
    if (part.bytes == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", part.name, format_bytes(part.bytes));
  }
  return text;
}

void add_parts(const Cgroup& cgroup, const GroupMemory& group, Page& page) {
  const Charge& charge = group.charge;
  const Bridge& bridge = group.bridge;
  add_part("anonymous", format_bytes(charge.anon_bytes),
           fmt::format("in the RSS of its processes {}, elsewhere {}", format_bytes(bridge.anon_bytes),
                       rest_bytes_text(bridge.anon_elsewhere_bytes)),
           page);
  add_part("files", format_bytes(charge.file_bytes),
           fmt::format("mapped {}, in no RSS {}; the kernel can drop {}",
                       format_bytes(bridge.file_mapped_bytes), format_bytes(bridge.file_unmapped_bytes),
                       format_bytes(droppable_file_bytes(cgroup))),
           page);
  add_part("shared", format_bytes(charge.shmem_bytes),
           fmt::format("mapped {}, tmpfs files in no RSS {}", format_bytes(bridge.shmem_mapped_bytes),
                       format_bytes(bridge.shmem_unmapped_bytes)),
           page);
  add_part("kernel", format_bytes(charge.kernel_bytes), kernel_text(charge), page);
  for (const NamedBytes& other : charge.others)
    add_part(other.name, format_bytes(other.bytes), "", page);
  add_part("rest", rest_bytes_text(charge.rest_bytes),
           fmt::format("{} what CPUs hold in advance, at most {}",
                       charge.closed() ? "within" : "NOT within", format_bytes(charge.tolerance_bytes)),
           page);
}

void add_processes(const GroupMemory& group, Page& page) {
  std::string text =
      fmt::format("RSS {}, shared pages counted once {}", format_bytes(group.bridge.rss_bytes),
                  format_bytes(group.bridge.pss_bytes));
  std::size_t shown = 0;
  for (const ProcessUse& process : group.processes) {
    if (process.pid == group.target_pid || shown == kProcessesShown) continue;
    text += fmt::format("{}{} {} {}", shown == 0 ? "; others: " : ", ", process.pid,
                        sanitise(process.command, 16), format_bytes(process.rss_bytes));
    ++shown;
  }
  add_part("processes", std::to_string(group.processes.size()), text, page);
}

Json parts_json(const std::vector<NamedBytes>& parts) {
  Json rows = Json::array();
  for (const NamedBytes& part : parts) rows.push_back({{"name", part.name}, {"bytes", part.bytes}});
  return rows;
}

Json charge_json(const Charge& charge) {
  return Json{{"usage_bytes", charge.usage_bytes},   {"anon_bytes", charge.anon_bytes},
              {"file_bytes", charge.file_bytes},     {"shmem_bytes", charge.shmem_bytes},
              {"kernel_bytes", charge.kernel_bytes}, {"others", parts_json(charge.others)},
              {"rest_bytes", charge.rest_bytes},     {"tolerance_bytes", charge.tolerance_bytes},
              {"closed", charge.closed()},           {"kernel_parts", parts_json(charge.kernel_parts)}};
}

Json bridge_json(const Bridge& bridge) {
  return Json{{"rss_bytes", bridge.rss_bytes},
              {"pss_bytes", bridge.pss_bytes},
              {"anon_bytes", bridge.anon_bytes},
              {"anon_elsewhere_bytes", bridge.anon_elsewhere_bytes},
              {"file_mapped_bytes", bridge.file_mapped_bytes},
              {"file_unmapped_bytes", bridge.file_unmapped_bytes},
              {"file_charged_elsewhere_bytes", bridge.file_charged_elsewhere_bytes},
              {"shmem_mapped_bytes", bridge.shmem_mapped_bytes},
              {"shmem_unmapped_bytes", bridge.shmem_unmapped_bytes}};
}

void add_group_json(const GroupMemory& group, Json& json) {
  json["charge"] = charge_json(group.charge);
  json["bridge"] = bridge_json(group.bridge);
  json["processes"] = Json::array();
  for (const ProcessUse& process : group.processes)
    json["processes"].push_back(process_use_json(process));
  json["tmpfs"] = Json::array();
  for (const TmpfsUse& use : group.tmpfs) {
    json["tmpfs"].push_back(
        {{"mount", use.mount}, {"bytes", use.bytes}, {"files", parts_json(use.files)}});
  }
  json["descriptors"] = nullptr;
  if (!group.descriptors) return;
  const DescriptorCounts& counts = *group.descriptors;
  json["descriptors"] = {{"sockets", counts.sockets},
                         {"pipes", counts.pipes},
                         {"files", counts.files},
                         {"others", counts.others},
                         {"complete", counts.complete}};
}

}  // namespace

void add_cgroup_text(const std::optional<Cgroup>& cgroup, const std::optional<GroupMemory>& group,
                     Page& page) {
  if (!cgroup) return;
  page.heading(fmt::format("CGROUP v{} {}", cgroup->version, sanitise(cgroup->path, 80)));
  add_charge_line(*cgroup, page);
  if (!group) return;
  add_parts(*cgroup, *group, page);
  add_processes(*group, page);
}

std::string container_text(const Container& container) {
  std::string text = container.runtime;
  if (!container.name.empty()) text += " " + container.name;
  text += ", " + container.id.substr(0, 12);
  if (!container.image.empty()) text += ", image " + container.image;
  if (container.restart_count.value_or(0) > 0)
    text += fmt::format(", restarted {} times", *container.restart_count);
  if (container.oom_killed.value_or(false)) text += ", its last run was OOM-killed";
  return text;
}

Json container_json(const std::optional<Container>& container) {
  if (!container) return nullptr;
  Json json{{"id", container->id}, {"runtime", container->runtime}};
  json["name"] = or_null(container->name);
  json["image"] = or_null(container->image);
  json["restart_count"] = container->restart_count ? Json(*container->restart_count) : Json(nullptr);
  json["oom_killed"] = container->oom_killed ? Json(*container->oom_killed) : Json(nullptr);
  return json;
}

Json process_use_json(const ProcessUse& use) {
  return Json{{"pid", use.pid},
              {"namespace_pid", use.namespace_pid},
              {"command", use.command},
              {"threads", use.threads},
              {"rss_bytes", use.rss_bytes},
              {"pss_bytes", use.pss_known ? Json(use.pss_bytes) : Json(nullptr)},
              {"anon_bytes", use.anon_bytes},
              {"file_bytes", use.file_bytes},
              {"shmem_bytes", use.shmem_bytes},
              {"swap_bytes", use.swap_bytes},
              {"page_table_bytes", use.page_table_bytes}};
}

Json cgroup_json(const std::optional<Cgroup>& cgroup, const std::optional<GroupMemory>& group) {
  if (!cgroup) return nullptr;
  Json json{{"version", cgroup->version}, {"path", cgroup->path}};
  json["limit_bytes"] = cgroup->limit_bytes ? Json(*cgroup->limit_bytes) : Json(nullptr);
  json["usage_bytes"] = cgroup->usage_bytes;
  json["failcnt"] = cgroup->failcnt;
  json["oom_kills"] = cgroup->oom_kills;
  json["peak_usage_bytes"] = cgroup->peak_usage_bytes;
  json["swap_limit_bytes"] = cgroup->swap_limit_bytes ? Json(*cgroup->swap_limit_bytes) : Json(nullptr);
  json["swap_usage_bytes"] = cgroup->swap_usage_bytes;
  json["anon_bytes"] = cgroup->anon_bytes();
  json["file_bytes"] = cgroup->file_bytes();
  json["shmem_bytes"] = cgroup->shmem_bytes();
  json["kernel_bytes"] = group ? group->charge.kernel_bytes : cgroup->kernel_bytes;
  json["stat"] = cgroup->stat;
  if (group) add_group_json(*group, json);
  return json;
}

}  // namespace offheap
