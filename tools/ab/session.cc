// SPDX-License-Identifier: Apache-2.0
#include "ab/session.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "ab/docker_run.h"
#include "ab/provenance.h"
#include "ab/schedule.h"
#include "ab/server.h"

namespace offheap::ab {
namespace {

Error rows_error(const std::string& path, const std::string& what, std::string remedy) {
  return {ErrorCode::kUsage, what, path, std::move(remedy)};
}

/// "003-jemalloc-narenas-2": for file names.
std::string label_of(const Row& turn) {
  std::string label = fmt::format("{:03}-{}", turn.sequence, turn.name);
  for (char& c : label)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '.') c = '-';
  constexpr std::size_t kMost = 60;
  return label.substr(0, kMost);
}

std::vector<std::string> mounts_of(const Session& session, const Entry& entry) {
  std::vector<std::string> mounts;
  if (entry.kind == EntryKind::kShim)
    mounts.push_back(fmt::format("{}:{}:ro", session.shim, kContainerShim));
  for (const std::string& file : entry.files())
    mounts.push_back(fmt::format("{}:{}:ro", file, path_in_container(file)));
  return mounts;
}

std::optional<Row> run_turn(const Session& session, const Row& turn) {
  const Entry& entry = session.entries[turn.entry];
  const RunContext context{session.request,     environment_for(session, entry),
                           session.environment, mounts_of(session, entry),
                           label_of(turn),      session.look};
  auto row = !session.request.image.empty()  ? run_in_docker(context)
             : !session.request.load.empty() ? run_server(context)
                                             : run_batch(context);
  if (!row) return {};
  row->entry = turn.entry;
  row->name = turn.name;
  row->round = turn.round;
  row->sequence = turn.sequence;
  row->warm_up = turn.warm_up;
  return row;
}

}  // namespace

Result<RowsFile> RowsFile::create(const std::string& path, const std::string& header) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644));
  if (!file.valid())
    return rows_error(path, fmt::format("cannot create the rows file: {}", std::strerror(errno)),
                      "name another with --rows");
  RowsFile rows(path, std::move(file));
  if (const auto written = rows.write_line(header); !written) return written.error();
  return rows;
}

Result<bool> RowsFile::append(const Row& row) {
  // What programs print need not be UTF-8.
  return write_line(to_json(row).dump(-1, ' ', true, Json::error_handler_t::replace));
}

Result<bool> RowsFile::write_line(const std::string& text) {
  const std::string line = text + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(file_.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0)
      return rows_error(path_, fmt::format("cannot write a row: {}", std::strerror(errno)), "");
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::vector<std::string> environment_for(const Session& session, const Entry& entry) {
  if (session.request.image.empty())
    return environment_of(entry, {session.environment, session.shim, available_cpus()});
  Entry inside = entry;
  if (inside.backend.find('/') != std::string::npos) inside.backend = path_in_container(inside.backend);
  if (!inside.library.empty()) inside.library = path_in_container(inside.library);
  return environment_of(inside, {{}, kContainerShim, available_cpus()});
}

Result<std::vector<Row>> run_session(
    const Session& session, RowsFile& rows,
    const std::function<void(const Row& turn, std::size_t total)>& started,
    const std::function<void(const Row& row, std::size_t total)>& done) {
  const auto turns = make_schedule(session.entries.size(), session.runs, session.warm_up, session.seed);
  std::vector<Row> all;
  for (std::size_t i = 0; i < turns.size() && !interrupted(); ++i) {
    Row turn;
    turn.entry = turns[i].entry;
    turn.name = session.entries[turn.entry].name;
    turn.round = turns[i].round;
    turn.sequence = i;
    turn.warm_up = turns[i].warm_up;
    started(turn, turns.size());
    auto row = run_turn(session, turn);
    if (!row) break;
    if (const auto kept = rows.append(*row); !kept) return kept.error();
    done(*row, turns.size());
    all.push_back(std::move(*row));
  }
  return all;
}

}  // namespace offheap::ab
