// SPDX-License-Identifier: Apache-2.0
//
// The options of `offheap peek`, and how its report is printed. All text in it comes out of the
// target's memory: printing sanitises it.
#include <fmt/format.h>

#include <algorithm>

#include "base/format.h"
#include "commands/commands.h"
#include "commands/explain.h"
#include "commands/peek.h"
#include "container/resolve.h"
#include "render/json.h"
#include "render/page.h"
#include "render/sanitise.h"
#include "render/text.h"

namespace offheap {
namespace {

struct PeekAsked {
  std::string target;
  std::string range;
  std::string sample = "64M";
  PeekOptions options;
  bool json = false;
};

const char* name_of(TextEncoding encoding) {
  return encoding == TextEncoding::kUtf16 ? "utf-16" : "ascii";
}

Json strings_json(const PeekReport& report) {
  Json json = Json::array();
  for (const StringCount& string : report.strings) {
    json.push_back({{"text", string.text},
                    {"encoding", name_of(string.encoding)},
                    {"cut", string.cut},
                    {"count", string.count},
                    {"bytes", string.bytes}});
  }
  return json;
}

Json peek_json(const PeekReport& report) {
  Json json{{"schema", "offheap.peek/1"}};
  json["target"] = {{"pid", report.pid}, {"command", report.command}};
  json["region"] = report.region;
  json["region_bytes"] = report.region_bytes;
  json["resident_bytes"] = report.resident_bytes;
  json["sampled_bytes"] = report.totals.bytes;
  json["block_count"] = report.block_count;
  json["zero_bytes"] = report.totals.zero_bytes;
  json["zero_page_bytes"] = report.totals.zero_page_bytes;
  json["dense_bytes"] = report.totals.dense_bytes;
  json["pointers"] = {{"inside", report.totals.pointers_inside},
                      {"to_modules", report.totals.pointers_to_modules},
                      {"elsewhere", report.totals.pointers_elsewhere}};
  json["string_count"] = report.string_totals.count;
  json["string_bytes"] = report.string_totals.bytes;
  json["strings_forgotten"] = report.strings_forgotten;
  json["strings"] = strings_json(report);
  json["classes"] = Json::array();
  for (const PeekClass& type : report.classes)
    json["classes"].push_back({{"name", type.name}, {"module", type.module}, {"count", type.count}});
  json["referrers"] = Json::array();
  for (const PeekReferrer& referrer : report.referrers)
    json["referrers"].push_back({{"where", referrer.where}, {"pointer_count", referrer.pointer_count}});
  json["referrer_sampled_bytes"] = report.referrer_sample_bytes;
  json["referrer_resident_bytes"] = report.referrer_resident_bytes;
  json["blocks"] = Json::array();
  for (const auto& [chunk_bytes, blocks] : report.blocks_by_chunk)
    json["blocks"].push_back({{"chunk_bytes", chunk_bytes},
                              {"count", blocks.block_count},
                              {"usable_bytes", blocks.usable_bytes}});
  json["notes"] = report.notes;
  return json;
}

std::string share_of(Bytes part, Bytes whole) {
  return whole == 0
             ? "0 %"
             : fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

void put_head(const PeekReport& report, Page& page) {
  page.wrapped("", fmt::format("{} (pid {}), {}", report.command, report.pid, report.region));
  const Bytes read = report.totals.bytes;
  page.line(
      fmt::format("  {} in reach, {} resident, {} of that read{}", format_bytes(report.region_bytes),
                  format_bytes(report.resident_bytes), share_of(read, report.resident_bytes),
                  report.block_count == 0 ? std::string()
                                          : fmt::format("; {} sampled blocks", report.block_count)));
  page.line(fmt::format("  zero words               {:>8}", share_of(report.totals.zero_bytes, read)));
  page.line(fmt::format("  compressed or encrypted  {:>8}", share_of(report.totals.dense_bytes, read)));
  page.line(fmt::format("  text                     {:>8}   {} strings",
                        share_of(report.string_totals.bytes, read),
                        with_commas(report.string_totals.count)));
  const std::uint64_t pointers = report.totals.pointers_inside + report.totals.pointers_to_modules +
                                 report.totals.pointers_elsewhere;
  page.line(fmt::format(
      "  pointers                 {:>8}   {} into it, {} to code's data, {} elsewhere",
      share_of(8 * pointers, read), with_commas(report.totals.pointers_inside),
      with_commas(report.totals.pointers_to_modules), with_commas(report.totals.pointers_elsewhere)));
}

void put_strings(const PeekReport& report, Page& page) {
  if (report.strings.empty()) return;
  page.heading("Most frequent strings");
  page.line(fmt::format("  {:>10}  {:>10}  {}", "count", "bytes", "text"));
  for (const StringCount& string : report.strings) {
    const auto prefix =
        fmt::format("  {:>10}  {:>10}  {}", with_commas(string.count), format_bytes(string.bytes),
                    string.encoding == TextEncoding::kUtf16 ? "u" : "");
    page.line(fmt::format("{}\"{}{}\"", prefix,
                          sanitise(string.text, kTextColumns - width_of(prefix) - 6),
                          string.cut ? "..." : ""));
  }
}

void put_classes(const PeekReport& report, Page& page) {
  if (report.classes.empty()) return;
  page.heading("C++ objects, by their vtables");
  for (const PeekClass& type : report.classes)
    page.wrapped(fmt::format("  {:>10}  ", with_commas(type.count)),
                 fmt::format("{} ({})", type.name, type.module));
}

void put_blocks(const PeekReport& report, Page& page) {
  if (report.blocks_by_chunk.empty()) return;
  constexpr std::size_t kShown = 10;
  std::vector<std::pair<Bytes, HeapReport::ClassTotal>> blocks(report.blocks_by_chunk.begin(),
                                                               report.blocks_by_chunk.end());
  std::sort(blocks.begin(), blocks.end(),
            [](const auto& a, const auto& b) { return a.second.usable_bytes > b.second.usable_bytes; });
  page.heading("Blocks in use or cached, by chunk size");
  for (std::size_t i = 0; i < std::min(kShown, blocks.size()); ++i)
    page.line(fmt::format("  {:>12}  {:>12} blocks  {:>12}",
                          (blocks[i].first >= 4096 ? "<= " : "") + format_bytes(blocks[i].first),
                          with_commas(blocks[i].second.block_count),
                          format_bytes(blocks[i].second.usable_bytes)));
}

void put_referrers(const PeekReport& report, Page& page) {
  if (report.referrers.empty()) return;
  page.heading(fmt::format("Pointers into it, from {} of {} that the program can write to",
                           format_bytes(report.referrer_sample_bytes),
                           format_bytes(report.referrer_resident_bytes)));
  for (const PeekReferrer& referrer : report.referrers)
    page.wrapped(fmt::format("  {:>10}  ", with_commas(referrer.pointer_count)), referrer.where);
}

std::string peek_text(const PeekReport& report) {
  Page page(colours_wanted(), kTextColumns);
  put_head(report, page);
  put_strings(report, page);
  put_classes(report, page);
  put_blocks(report, page);
  put_referrers(report, page);
  if (report.strings_forgotten != 0)
    page.wrapped("  note: ", fmt::format("too many different strings: counts may be too low by {}",
                                         report.strings_forgotten));
  for (const std::string& note : report.notes) page.wrapped("  note: ", note);
  return page.take();
}

Result<int> do_peek(PeekAsked& asked) {
  const auto target = resolve_process(asked.target);
  if (!target) return target.error();
  if (!asked.range.empty()) {
    asked.options.range = parse_range(asked.range);
    if (!asked.options.range)
      return Error{ErrorCode::kUsage, "no range", asked.range,
                   "write BEGIN-END in hexadecimal, as in /proc/PID/maps"};
  }
  const int chosen = int{asked.options.arena.has_value()} + int{asked.options.site.has_value()} +
                     int{asked.options.range.has_value()};
  if (chosen != 1)
    return Error{ErrorCode::kUsage, "what to look into is not clear", "peek",
                 "give one of --arena, --site, --range"};
  const auto sample_bytes = parse_bytes(asked.sample);
  if (!sample_bytes || *sample_bytes == 0)
    return Error{ErrorCode::kUsage, "no size", asked.sample, "write 64M or 1G"};
  asked.options.sample_bytes = *sample_bytes;
  auto report = peek_process(target->pid, asked.options);
  if (!report) return report.error();
  if (!target->choice.empty()) report->notes.push_back(target->choice);
  print(asked.json ? json_text(peek_json(*report)) : peek_text(*report));
  return 0;
}

}  // namespace

void add_peek(Commands& commands) {
  static PeekAsked asked;
  auto* command =
      commands.add("peek", "What a part of the memory holds: strings, classes, zeros, pointers",
                   kRightsToLook, [] { return do_peek(asked); });
  command->footer(
      "Prints what the memory holds: strings can be passwords, keys or personal data. They are\n"
      "cut at 80 characters unless --string-length says otherwise.\n"
      "Reads resident pages only, a sample of at most --sample bytes, and changes nothing.");
  command->add_option("target", asked.target, "a pid, a container or a cgroup")->required();
  command->add_option("--arena", asked.options.arena, "an arena of `offheap explain`, from 0");
  command->add_option(
      "--site", asked.options.site,
      "a site by its place in the list of `offheap explain --json`, from 0; its sampled blocks");
  command->add_option("--range", asked.range, "BEGIN-END in hexadecimal, as in /proc/PID/maps");
  command->add_option("--strings", asked.options.string_limit, "how many strings to show")
      ->capture_default_str();
  command
      ->add_option("--string-length", asked.options.content.longest_string,
                   "characters of a string to show")
      ->check(CLI::Range(6, 4096))
      ->capture_default_str();
  command->add_option("--sample", asked.sample, "how much memory to read at most")
      ->capture_default_str();
  command->add_flag("--json", asked.json, "schema offheap.peek/1");
}

}  // namespace offheap
