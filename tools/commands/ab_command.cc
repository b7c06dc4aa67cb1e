// SPDX-License-Identifier: Apache-2.0
//
// `offheap ab`: its options, the progress of its runs, and what is printed of them.
#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <utility>

#include "ab/report.h"
#include "ab/session.h"
#include "base/format.h"
#include "commands/ab_options.h"
#include "commands/command_line.h"
#include "commands/commands.h"
#include "procfs/text_file.h"
#include "render/json.h"
#include "render/sanitise.h"

namespace offheap {
namespace {

using ab::Row;

constexpr int kExitInterrupted = 130;

/// A directory for outputs: the user's, or one of ours that goes with this object.
class OutputDirectory {
 public:
  static Result<OutputDirectory> make(const std::string& wanted) {
    if (!wanted.empty()) {
      std::error_code problem;
      std::filesystem::create_directories(wanted, problem);
      if (problem || ::access(wanted.c_str(), W_OK) != 0)
        return usage("cannot keep outputs there", wanted, "name a directory that you may write to");
      return OutputDirectory(wanted, false);
    }
    std::string name = (std::filesystem::temp_directory_path() / "offheap-ab-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      return usage("cannot make a directory for outputs", name, "set TMPDIR");
    return OutputDirectory(name, true);
  }
  OutputDirectory(OutputDirectory&& other) noexcept
      : path_(std::move(other.path_)), ours_(std::exchange(other.ours_, false)) {}
  OutputDirectory& operator=(OutputDirectory&&) = delete;
  ~OutputDirectory() {
    std::error_code ignored;
    if (ours_) std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool ours() const { return ours_; }

 private:
  OutputDirectory(std::string path, bool ours) : path_(std::move(path)), ours_(ours) {}

  std::string path_;
  bool ours_;
};

/// One line while it runs on a terminal, one line a run elsewhere.
class RunProgress {
 public:
  RunProgress() : terminal_(::isatty(STDERR_FILENO) == 1) {}
  ~RunProgress() { clear(); }
  RunProgress(const RunProgress&) = delete;
  RunProgress& operator=(const RunProgress&) = delete;

  void started(const Row& turn, std::size_t total) {
    if (!terminal_) return;
    say(fmt::format("\r\x1b[Krun {} of {}: {}{}", turn.sequence + 1, total, sanitise(turn.name),
                    turn.warm_up ? " (warm-up)" : ""));
    shown_ = true;
  }

  void done(const Row& row, std::size_t total) const {
    if (terminal_) return;
    std::string text =
        fmt::format("run {} of {}: {}{}: {}", row.sequence + 1, total, sanitise(row.name),
                    row.warm_up ? " (warm-up)" : "", ab::outcome_name(row.outcome));
    if (const auto wall = row.values.find("wall_seconds"); wall != row.values.end())
      text += fmt::format(", {:.3g} s", wall->second);
    if (const auto peak = row.values.find("peak_rss_bytes"); peak != row.values.end())
      text += fmt::format(", RSS peak {}", format_bytes(static_cast<Bytes>(peak->second)));
    if (!row.problem.empty()) text += ", " + sanitise(row.problem);
    say(text + "\n");
  }

  void clear() {
    if (shown_) say("\r\x1b[K");
    shown_ = false;
  }

 private:
  static void say(const std::string& text) {
    std::fputs(text.c_str(), stderr);
    std::fflush(stderr);
  }

  bool terminal_;
  bool shown_ = false;
};

Result<bool> show(const AbAsked& asked, const ab::Comparison& comparison) {
  if (!asked.html.empty()) {
    std::ofstream file(asked.html, std::ios::binary);
    file << ab::comparison_html(comparison);
    file.close();
    if (!file) return usage("cannot write the page", asked.html, "");
  }
  print(asked.json ? json_text(ab::comparison_json(comparison))
                   : ab::comparison_text(comparison, colours_wanted()));
  return true;
}

std::string rows_path(const AbAsked& asked) {
  if (!asked.rows.empty()) return asked.rows;
  return fmt::format("offheap-ab-{:%Y%m%d-%H%M%S}-{}.jsonl", fmt::gmtime(std::time(nullptr)),
                     ::getpid());
}

Result<ab::Comparison> compare(const AbAsked& asked) {
  auto session = session_of(asked);
  if (!session) return session.error();
  const auto output = OutputDirectory::make(asked.keep_output);
  if (!output) return output.error();
  session->request.output_directory = output->path();
  session->request.keep_output = !output->ours();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ab::install_interrupts();
  ab::Comparison comparison;
  for (const ab::Entry& entry : session->entries) comparison.entries.push_back(entry.name);
  comparison.provenance = provenance_of(asked, *session);
  comparison.provenance["rows_file"] = rows_path(asked);
  auto file = ab::RowsFile::create(comparison.provenance["rows_file"],
                                   ab::rows_header(comparison.entries, comparison.provenance));
  if (!file) return file.error();
  std::fputs(fmt::format("offheap: the rows are kept in {}\n", sanitise(file->path())).c_str(), stderr);
  RunProgress progress;
  auto rows = ab::run_session(
      *session, *file, [&](const Row& turn, std::size_t total) { progress.started(turn, total); },
      [&](const Row& row, std::size_t total) { progress.done(row, total); });
  if (!rows) return rows.error();
  comparison.rows = std::move(*rows);
  return comparison;
}

int exit_status_of(const ab::Comparison& comparison) {
  if (ab::interrupted()) return kExitInterrupted;
  const bool any = std::any_of(comparison.rows.begin(), comparison.rows.end(), [](const Row& row) {
    return !row.warm_up && row.outcome == ab::Outcome::kDone;
  });
  return any ? 0 : kExitFinding;
}

Result<ab::Comparison> kept_comparison(const std::string& path) {
  const auto text = read_text(AT_FDCWD, path.c_str());
  if (!text) return usage("cannot read the rows", path, std::strerror(errno));
  auto comparison = ab::read_rows(*text);
  if (!comparison) return usage(comparison.error().what, path, comparison.error().where);
  return comparison;
}

/// Runs what was recommended against the first entry once more, with a seed of its own.
Result<int> do_verify(AbAsked asked) {
  const auto before = kept_comparison(asked.verify);
  if (!before) return before.error();
  const std::string chosen = ab::recommended_entry(*before);
  if (chosen.empty()) {
    print("The rows recommend to stay: there is nothing to verify.\n");
    return 0;
  }
  if (const auto taken = take_request(before->provenance, asked); !taken) return taken.error();
  asked.backends.clear();
  asked.entries = {before->entries.front(), chosen};
  const auto again = compare(asked);
  if (!again) return again.error();
  if (const auto shown = show(asked, *again); !shown) return shown.error();
  if (ab::interrupted()) return kExitInterrupted;
  const ab::Verification verification = ab::verify_finding(*before, *again);
  if (asked.json)
    std::fputs(verification.text.c_str(), stderr);
  else
    print(verification.text);
  return verification.held ? 0 : kExitFinding;
}

Result<int> do_ab(const AbAsked& asked) {
  if (!asked.verify.empty()) return do_verify(asked);
  const auto comparison = asked.from.empty() ? compare(asked) : kept_comparison(asked.from);
  if (!comparison) return comparison.error();
  if (const auto shown = show(asked, *comparison); !shown) return shown.error();
  return asked.from.empty() ? exit_status_of(*comparison) : 0;
}

constexpr const char* kFooter =
    "Entries: glibc, tcmalloc, jemalloc, next (what the program has), /path/to/lib.so: under the "
    "shim;\n"
    "none: without it, as it is; bare:NAME or bare:/path: that library preloaded without the shim.\n"
    "Tunings follow a colon: glibc:arena_max=2,trim_threshold=64K. In a list, entries are separated "
    "by\n"
    "commas, blanks or semicolons; NAME=VALUE after a comma belongs to the entry before it.\n"
    "  offheap ab --backends glibc,glibc:arena_max=2,jemalloc:dirty_decay_ms=0 -- ./work\n"
    "  offheap ab --start './server' --ready tcp:8080 --load 'wrk -d5s http://127.0.0.1:8080/' --parse "
    "wrk\n"
    "The first entry is what the others are compared with. Runs take turns, in an order that --seed "
    "decides.\n"
    "While a command runs it is watched with at most 2 % of one CPU. A command that ends is held for "
    "a\n"
    "moment at its exit, so that its heap can be read; a server is read after its load.\n"
    "fragmentation is (live + free, both resident) / live: 1 means that nothing lies idle.\n"
    "Rows are kept, one line of JSON a run, and --from shows them again.\n"
    "Exit status: 0 done, 1 no run was done or the finding did not hold, 130 stopped by ^C.\n"
    "Tunings\n";

void add_server_options(CLI::App& command, AbAsked& asked) {
  command.add_option("--start", asked.start, "a server: the command that starts it");
  command.add_option(
      "--ready", asked.ready,
      "it is ready when this succeeds: tcp:PORT, http://127.0.0.1:PORT/, or a shell command");
  command.add_option("--ready-timeout", asked.ready_timeout, "how long that may take")
      ->capture_default_str();
  command.add_option("--load", asked.load, "the shell command that puts it under load, under no shim");
  command.add_option("--stop", asked.stop, "the signal that ends it")->capture_default_str();
  command
      .add_option("--parse", asked.parse,
                  "throughput and latency from the load's, or the command's, output: wrk, "
                  "redis-benchmark, pgbench or regex:NAME=PATTERN")
      ->allow_extra_args(false);
  command.add_option("--docker", asked.image, "run the command in containers of this image");
  command.add_option("--memory", asked.memory, "the container's limit, such as 512m");
  command.add_option("--docker-arg", asked.docker_arguments, "one more word for docker create")
      ->allow_extra_args(false);
}

}  // namespace

void add_ab(Commands& commands) {
  static AbAsked asked;
  auto* command = commands.add("ab", "Compare allocators and tunings on your own command", kAllRights,
                               [] { return do_ab(asked); });
  command->footer(kFooter + ab::known_tunings());
  command->add_option("--backends", asked.backends,
                      fmt::format("a list of entries; default: {}", kDefaultEntries));
  command->add_option("--entry", asked.entries, "one entry, taken as it is; may be repeated")
      ->allow_extra_args(false);
  command->add_option("--runs", asked.runs, "runs of each entry that count")->capture_default_str();
  command->add_option("--warm-up", asked.warm_up, "runs of each entry before those")
      ->capture_default_str();
  command->add_option("--seed", asked.seed, "decides the order of runs; default: a new one each time");
  command->add_option("--measure", asked.measure, "only these keys of rows, separated by commas");
  command->add_option("--timeout", asked.timeout, "a run may take that long");
  command->add_option("--rows", asked.rows, "the file for the rows; default: a new one here");
  command->add_option("--html", asked.html, "write the report as one page too");
  command->add_flag("--json", asked.json, "schema offheap.ab/1");
  command->add_option("--keep-output", asked.keep_output, "keep what the runs print in this directory");
  command->add_option("--from", asked.from, "show the rows of this file again; nothing is run");
  command->add_option("--verify", asked.verify,
                      "run what these rows recommend against their first entry again");
  add_server_options(*command, asked);
  command->add_option("command", asked.command, "the command and its arguments");
  command->positionals_at_end();
}

}  // namespace offheap
