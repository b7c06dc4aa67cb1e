// SPDX-License-Identifier: Apache-2.0
#include "commands/command_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <string>

#include "commands/commands.h"
#include "commands/dead_process.h"
#include "commands/doctor.h"
#include "commands/documents.h"
#include "commands/explain.h"
#include "commands/explain_all.h"
#include "commands/fail_on.h"
#include "commands/run.h"
#include "recording/reader.h"
#include "render/diff.h"
#include "render/json.h"
#include "render/page.h"
#include "render/sanitise.h"
#include "render/text.h"

namespace offheap {

bool colours_wanted() {
  const char* no_colour = std::getenv("NO_COLOR");
  return ::isatty(STDOUT_FILENO) == 1 && !(no_colour && *no_colour);
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

namespace {

constexpr const char* kExamples =
    "offheap says where a process's resident memory is, byte for byte, and why.\n"
    "\n"
    "  offheap explain 4711                        a running process, as it is, no restart\n"
    "  offheap explain shop                        a container, by its name or id; --all: every "
    "process\n"
    "  offheap explain 4711 --for 30s              watch it: does anything grow?\n"
    "  offheap run -- ./server --port 80           start under the shim: sites, exact counts\n"
    "  offheap run --backend jemalloc -- ./server  the same on another allocator\n"
    "  offheap explain 4711 --json --fail-on leak:10M   for scripts: exit status 1 on a finding\n"
    "  offheap snapshot 4711 -o before.json; ...; offheap diff before.json after.json\n"
    "  offheap doctor 4711                         did the preload take effect, and if not why\n"
    "  offheap host                                a host in trouble, on one screen\n"
    "\n"
    "Exit status: 0 done, 1 finding above --fail-on, 2 usage, 3 target cannot be read,\n"
    "4 recording incompatible, 5 internal.\n";

struct Asked {
  ExplainOptions explain;
  RunOptions run;
  std::string watch;
  std::vector<std::string> fail_on;
  bool json = false;
  bool no_pause = false;
  std::string most_pause;
  std::string target;
  bool all = false;
  std::string kernel_log;
  std::string output;
  std::string before;
  std::string after;
};

Result<int> do_explain_all(const Asked& asked, const std::vector<FailLimit>& limits) {
  const auto all = explain_all(asked.explain);
  if (!all) return all.error();
  print(asked.json ? json_text(to_json(*all)) : render_text(*all, {colours_wanted()}));
  for (const ProcessExplanation& process : all->processes)
    if (process.explanation && exceeds(process.explanation->verdicts, limits)) return kExitFinding;
  return 0;
}

/// Into `out`, which stays as it is when nothing was asked.
std::optional<Error> read_duration(const std::string& text, std::uint64_t& out) {
  if (text.empty()) return std::nullopt;
  const auto duration_ns = parse_duration_ns(text);
  if (!duration_ns) return Error{ErrorCode::kUsage, "no duration", text, "write 30s, 500ms, 2m or 1h"};
  out = *duration_ns;
  return std::nullopt;
}

/// A recording, whose process may have been killed: what it left, and what the kernel says of its end.
Result<int> print_recording(const Asked& asked, const Explanation& explanation,
                            const std::string& path) {
  const auto snapshot = read_recording_file(path);
  if (!snapshot) return snapshot.error();
  const auto join = find_kernel_report(*snapshot, asked.kernel_log);
  if (!join) return join.error();
  if (!asked.json) {
    print(render_text(explanation, {colours_wanted()}) +
          recorded_text(*snapshot, *join, {colours_wanted()}));
    return 0;
  }
  Json json = to_json(explanation);
  json["recorded"] = recorded_json(*snapshot);
  json["kernel_report"] = join->report;
  json["kernel_report_join"] = join->how;
  print(json_text(json));
  return 0;
}

Result<int> do_explain(Asked& asked) {
  if (const auto error = read_duration(asked.watch, asked.explain.watch_ns)) return *error;
  if (const auto error = read_duration(asked.most_pause, asked.explain.most_pause_ns)) return *error;
  const auto limits = parse_fail_on(asked.fail_on);
  if (!limits) return limits.error();
  asked.explain.pause = !asked.no_pause;
  if (asked.all) return do_explain_all(asked, *limits);
  const auto target = resolve_target(asked.explain.target);
  if (!target) return target.error();
  if (!asked.kernel_log.empty() && target->pid != 0)
    return Error{ErrorCode::kUsage, "--kernel-log is for a dead process's recording",
                 asked.explain.target, "name a *.offheap file"};
  const auto explanation = explain_resolved(*target, asked.explain, nullptr);
  if (!explanation) return explanation.error();
  if (target->pid == 0) {
    const auto printed = print_recording(asked, *explanation, target->recording);
    if (!printed) return printed.error();
  } else {
    print(asked.json ? json_text(to_json(*explanation))
                     : render_text(*explanation, {colours_wanted()}));
  }
  return exceeds(explanation->verdicts, *limits) ? kExitFinding : 0;
}

Result<int> do_snapshot(const Asked& asked) {
  const auto written = write_snapshot(asked.target, asked.output, !asked.no_pause);
  if (!written) return written.error();
  return 0;
}

Result<int> do_diff(const Asked& asked) {
  const auto before = load_document(asked.before);
  if (!before) return before.error();
  const auto after = load_document(asked.after);
  if (!after) return after.error();
  const auto diff = diff_json(*before, *after);
  if (!diff) return diff.error();
  print(asked.json ? json_text(*diff) : render_diff_text(*diff, {colours_wanted()}));
  return 0;
}

std::string doctor_text(const DoctorReport& report) {
  Page page(colours_wanted(), kTextColumns);
  for (const DoctorCheck& check : report.checks) {
    page.wrapped(check.ok ? "  ok      " : "  FAILED  ", check.name + ": " + check.detail);
    if (!check.ok) page.wrapped("          remedy: ", check.remedy);
  }
  page.line(report.works ? page.green(sanitise(report.verdict)) : page.red(sanitise(report.verdict)));
  return page.take();
}

Json doctor_json(const DoctorReport& report) {
  Json json{{"schema", "offheap.doctor/1"}, {"works", report.works}, {"verdict", report.verdict}};
  json["checks"] = Json::array();
  for (const DoctorCheck& check : report.checks) {
    json["checks"].push_back(
        {{"name", check.name}, {"ok", check.ok}, {"detail", check.detail}, {"remedy", check.remedy}});
  }
  return json;
}

Result<int> do_doctor(const Asked& asked) {
  const auto target = resolve_process(asked.target);
  if (!target) return target.error();
  const auto report = examine(target->pid);
  if (!report) return report.error();
  print(asked.json ? json_text(doctor_json(*report)) : doctor_text(*report));
  return report->works ? 0 : kExitFinding;
}

void add_run(Commands& commands, Asked& asked) {
  auto* command =
      commands.add("run", "Start a program with the shim preloaded: run [OPTIONS] -- CMD...",
                   kAllRights, [&asked] { return run_command(asked.run); });
  command->add_option("--backend", asked.run.backend,
                      "next (default), glibc, tcmalloc, jemalloc or /path/to/lib.so");
  command->add_option("--arena-max", asked.run.arena_max,
                      "glibc arenas: a number, or auto (follows the CPU quota)");
  command->add_option("--sample", asked.run.sample,
                      "mean bytes between samples; adaptive when not given");
  command->add_option("--record", asked.run.record_directory,
                      "keep recordings as files in this directory: they survive a kill");
  command->add_option("command", asked.run.command, "the program and its arguments")->required();
  command->positionals_at_end();
}

void add_explain(Commands& commands, Asked& asked) {
  auto* command = commands.add("explain", "Where the memory of a process is, and why", kRightsToLook,
                               [&asked] { return do_explain(asked); });
  command
      ->add_option("target", asked.explain.target,
                   "a pid, a container (name or id), a cgroup's path, or a recording")
      ->required();
  command->add_option("--for", asked.watch, "watch that long, to see growth: 30s, 2m");
  auto* no_pause = command->add_flag("--no-pause", asked.no_pause,
                                     "never stop the target: the heap's figures are then an estimate");
  command
      ->add_option("--max-pause", asked.most_pause,
                   "the longest single stop, 30ms when not given: a heap that takes longer to copy is "
                   "read in several, which is exact only where it stood still")
      ->excludes(no_pause);
  command->add_option("--kernel-log", asked.kernel_log,
                      "with a recording: the log in which its process's kill stands; /dev/kmsg if not "
                      "given");
  command->add_flag("--all", asked.all, "explain every process of the container or cgroup");
  command->add_flag("--json", asked.json, "schema offheap.explain/1; with --all offheap.explain-all/1");
  command
      ->add_option("--fail-on", asked.fail_on, "exit 1 on this verdict: kind[:bytes], kind may be any")
      ->delimiter(',');
  command->add_option("--sites", asked.explain.site_limit, "how many sites to show")
      ->capture_default_str();
}

void add_documents(Commands& commands, Asked& asked) {
  auto* snapshot = commands.add("snapshot", "Write everything that is known to a file", kRightsToKeep,
                                [&asked] { return do_snapshot(asked); });
  snapshot->add_option("target", asked.target, "a pid, a container or a cgroup")->required();
  snapshot->add_option("-o,--output", asked.output, "the JSON file to write")->required();
  snapshot->add_flag("--no-pause", asked.no_pause, "never stop the target");
  auto* diff = commands.add("diff", "What grew between two snapshots or recordings", kRightsToLook,
                            [&asked] { return do_diff(asked); });
  diff->add_option("old", asked.before, "a snapshot or recording")->required();
  diff->add_option("new", asked.after, "a later one")->required();
  diff->add_flag("--json", asked.json, "schema offheap.diff/1");
}

void add_doctor(Commands& commands, Asked& asked) {
  auto* command = commands.add("doctor", "Did the preload take effect, and if not why", kRightsToLook,
                               [&asked] { return do_doctor(asked); });
  command->add_option("target", asked.target, "a pid, a container or a cgroup")->required();
  command->add_flag("--json", asked.json, "schema offheap.doctor/1");
}

}  // namespace

Result<int> run_command_line(int argument_count, char** arguments) {
  Asked asked;
  CLI::App app(kExamples, "offheap");
  app.set_version_flag("--version", std::string("offheap ") + OFFHEAP_VERSION);
  app.require_subcommand(1);
  Commands commands(app);
  add_host(commands);
  // Where there is no memory left, the other commands' options are not even set up.
  if (argument_count < 2 || std::string_view(arguments[1]) != "host") {
    add_explain(commands, asked);
    add_run(commands, asked);
    add_documents(commands, asked);
    add_doctor(commands, asked);
    add_ab(commands);
    add_attach(commands);
    add_trim(commands);
    add_oom(commands);
    add_peek(commands);
    add_watch(commands);
    add_incidents(commands);
  }
  try {
    app.parse(argument_count, arguments);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : static_cast<int>(ErrorCode::kUsage);
  }
  return commands.act();
}

}  // namespace offheap
