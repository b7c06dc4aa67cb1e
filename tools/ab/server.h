// SPDX-License-Identifier: Apache-2.0
//
// A run of a server: started under the entry, waited for until it answers, put under load by a tool
// that runs under no shim, looked at, stopped. We contact this machine's loopback only; what the load
// tool contacts is the user's choice.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ab/run_one.h"

namespace offheap::ab {

/// How to find out whether a server is ready.
struct Probe {
  enum class Kind { kCommand, kTcp, kHttp } kind = Kind::kCommand;
  std::string command;
  std::uint16_t port = 0;
  std::string path;  ///< of an http probe
};

/// tcp:PORT, http://127.0.0.1:PORT/PATH (or localhost), or else a shell command that succeeds.
///
/// Errors: kUsage: a port that is none, a host that is not this machine.
Result<Probe> parse_probe(std::string_view text);

/// A signal from its number or name: 15, TERM, SIGTERM. Errors: kUsage.
Result<int> parse_signal(std::string_view text);

/// "sh -c TEXT", or the words of a text that needs no shell, so that the server itself is the process
/// that is measured.
std::vector<std::string> shell_command(const std::string& text);

/// What stands between start and load, whoever started the server: its processes are watched by
/// `watcher`; `running` says whether it still runs.
///
/// The row gets wall_seconds (of the load), what the load's output held and the look at the largest
/// process; an outcome other than kDone when the server was not ready or the load failed.
void put_under_load(const RunContext& context, Watcher& watcher, const std::function<bool()>& running,
                    Row& row);

/// A row without what the schedule knows. Nothing when the user interrupted it.
std::optional<Row> run_server(const RunContext& context);

}  // namespace offheap::ab
