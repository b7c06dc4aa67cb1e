// SPDX-License-Identifier: Apache-2.0
#include "commands/documents.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "commands/write_file.h"
#include "libshim/recording_layout.h"

namespace offheap {
namespace {

constexpr std::size_t kAllSites = 1000;

Json raw_json(const Look& look) {
  Json mappings = Json::array();
  for (std::size_t i = 0; i < look.mappings.size(); ++i) {
    const Mapping& mapping = look.mappings[i];
    const char rights[] = {mapping.readable ? 'r' : '-', mapping.writable ? 'w' : '-',
                           mapping.executable ? 'x' : '-', mapping.shared ? 's' : 'p', '\0'};
    mappings.push_back({{"begin", mapping.range.begin},
                        {"end", mapping.range.end},
                        {"rights", rights},
                        {"path", mapping.path},
                        {"rss_bytes", mapping.rss_bytes},
                        {"pss_bytes", mapping.pss_bytes},
                        {"anonymous_bytes", mapping.anonymous_bytes},
                        {"anon_huge_bytes", mapping.anon_huge_bytes},
                        {"private_dirty_bytes", mapping.private_dirty_bytes},
                        {"swap_bytes", mapping.swap_bytes},
                        {"owner", owner_name(look.ledger.mapping_owners[i])}});
  }
  Json stacks = Json::array();
  for (const ThreadStack& stack : look.stacks) {
    stacks.push_back({{"tid", stack.tid}, {"begin", stack.range.begin}, {"end", stack.range.end}});
  }
  return Json{{"time_ns", look.time_ns}, {"mappings", mappings}, {"stacks", stacks}};
}

bool is_recording(const std::string& text) {
  return text.starts_with(std::string_view(recording::kMagic, sizeof recording::kMagic));
}

Result<Json> explain_document(const std::string& path) {
  ExplainOptions options;
  options.target = path;
  options.site_limit = kAllSites;
  const auto explanation = explain(options, nullptr);
  if (!explanation) return explanation.error();
  return to_json(*explanation);
}

}  // namespace

Result<std::string> write_snapshot(const std::string& target, const std::string& path, bool pause) {
  ExplainOptions options;
  const auto process = resolve_process(target);
  if (!process) return process.error();
  options.pause = pause;
  options.site_limit = kAllSites;
  Look look;
  const auto explanation = explain_resolved(*process, options, &look);
  if (!explanation) return explanation.error();
  Json document = to_json(*explanation);
  document["raw"] = raw_json(look);
  return write_file(path, json_text(document));
}

Result<Json> load_document(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file || std::filesystem::is_directory(path)) {
    return Error{ErrorCode::kUsage, "cannot read the file", path, "name a snapshot or a recording"};
  }
  if (is_recording(text.str())) return explain_document(path);
  Json document = Json::parse(text.str(), nullptr, false);
  if (document.is_discarded()) {
    return Error{ErrorCode::kIncompatible, "neither a snapshot nor a recording", path,
                 "make one with `offheap snapshot PID -o FILE`"};
  }
  return document;
}

}  // namespace offheap
