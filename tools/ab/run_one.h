// SPDX-License-Identifier: Apache-2.0
//
// One run of the user's command under one entry: what is asked for, and the row that comes of it. A
// batch command is run here, a server under load in server.h, a container in docker_run.h.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ab/child.h"
#include "ab/load_output.h"
#include "ab/row.h"
#include "ab/watcher.h"

namespace offheap::ab {

/// What the user wants to be run, the same for every entry.
struct RunRequest {
  std::vector<std::string> command;
  double timeout_seconds = 0;
  std::vector<LoadParser> parsers;
  std::set<std::string> measured;  ///< keys of metrics; empty = all
  std::string output_directory;    ///< where outputs are written
  bool keep_output = false;
  // A server:
  std::string ready;
  std::string load;
  int stop_signal = 15;
  double ready_timeout_seconds = 30;
  // A container:
  std::string image;
  std::string memory_limit;
  std::vector<std::string> docker_arguments;

  [[nodiscard]] bool wants(const char* key) const { return measured.empty() || measured.contains(key); }
};

/// What is known of a process's heap at the end of its work.
struct EndLook {
  std::map<std::string, double> values;
  std::vector<std::string> notes;
};

struct RunContext {
  const RunRequest& request;
  std::vector<std::string> environment;        ///< under the entry
  std::vector<std::string> plain_environment;  ///< for probes, load and docker
  std::vector<std::string> mounts;             ///< a container: "host:inside:ro"
  std::string label;                           ///< names this run's files: "003-glibc"
  /// Reads a heap. `standing`: the process stands still at its exit and cannot be stopped.
  std::function<EndLook(pid_t pid, bool standing)> look;
};

/// A row without what the schedule knows. Nothing when the user interrupted it.
std::optional<Row> run_batch(const RunContext& context);

// --- what all kinds of runs share ----------------------------------------------------------------

/// The files of one run's standard output and error; removed with it unless they are to be kept.
class OutputFiles {
 public:
  OutputFiles(const RunContext& context, const std::string& suffix);
  ~OutputFiles();
  OutputFiles(const OutputFiles&) = delete;
  OutputFiles& operator=(const OutputFiles&) = delete;

  [[nodiscard]] int output() const { return output_.get(); }
  [[nodiscard]] int errors() const { return errors_.get(); }
  /// Standard output and error, one after the other, at most 4 MiB from the end of each.
  [[nodiscard]] std::string text() const;
  /// The last lines of standard error, or else of output, for a message.
  [[nodiscard]] std::string last_words() const;

 private:
  Descriptor output_;
  Descriptor errors_;
  std::vector<std::string> paths_;
  bool keep_;
};

/// The command under its entry, writing to `files`.
ChildOptions child_options(const RunContext& context, const OutputFiles& files);
WatchOptions watch_options(const RunRequest& request);
void set_not_started(const Error& error, Row& row);

/// How a command ended, in the row: exit status, signal, OOM kill, time, with its last words.
void set_outcome(const ChildEnd& end, const Watched& watched, const std::string& last_words, Row& row);

void set_usage(const rusage& usage, Row& row);
void set_watched(const Watched& watched, Row& row);
void set_parsed(const RunRequest& request, const std::string& text, Row& row);

/// Leaves only what the user wants measured.
void keep_measured(const RunRequest& request, Row& row);

/// Adds what is not in `row` yet.
void add_look(EndLook look, Row& row);

bool wants_heap(const RunRequest& request);
bool wants_lock_waits(const RunRequest& request);

}  // namespace offheap::ab
